/** An engine's name as it may be shown: without the password that a URL has. */
export function redactedEngine(spec: string): string {
  return spec.replace(/^([a-z]+:\/\/[^:@/]*):[^@/]*@/, '$1:…@')
}
