/**
 * An engine's address as it may be shown: without user and password. Several, with spaces between, likewise. A password that holds what it
 * should have percent-encoded is hidden all the same.
 */
export function redactedEngine(spec: string): string {
  return spec
    .split(/(\s+)/)
    .map((one) => one.replace(/^([a-z]+:\/\/).*@/s, '$1…@'))
    .join('')
}

/**
 * The arguments of this process as lists of processes may show them; undefined where they may show them as they are: there is no password
 * in them.
 */
export function redactedArguments(args: readonly string[]): string[] | undefined {
  const shown = args.map((arg) => {
    const [, option = '', value = arg] = /^(--[a-z-]+=)(.*)$/s.exec(arg) ?? []
    return `${option}${redactedEngine(value)}`
  })
  return shown.some((arg, index) => arg !== args[index]) ? shown : undefined
}
