/** Rounded to whole ones, with commas between thousands. */
export function whole(number: number): string {
  return Math.round(number).toLocaleString('en')
}

/** `350 writes/s` */
export function rate(perSecond: number, what: string): string {
  return `${whole(perSecond)} ${what}/s`
}
