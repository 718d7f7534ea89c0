/** The forms of time in signed requests. */

const BASIC = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/
const HTTP_DATE =
  /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:GMT|UTC|[+]0000)$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Unix milliseconds of `yyyyMMdd'T'HHmmss'Z'`; undefined when the text is no such time or no real date. */
export function parseAmzDate(text: string): number | undefined {
  const [, year, month, day, hour, minute, second] = BASIC.exec(text) ?? []
  return utc(year, Number(month), day, hour, minute, second)
}

/** Unix milliseconds of an HTTP date (RFC 9110 §5.6.7, the preferred form). */
export function parseHttpDate(text: string): number | undefined {
  const [, day, month, year, hour, minute, second] = HTTP_DATE.exec(text) ?? []
  return utc(year, MONTHS.indexOf(month ?? '') + 1, day, hour, minute, second)
}

type Digits = string | undefined

function utc(year: Digits, month: number, day: Digits, hour: Digits, minute: Digits, second: Digits) {
  const parts = [Number(year), month - 1, Number(day), Number(hour), Number(minute), Number(second)] as const
  const ms = Date.UTC(...parts)
  const date = new Date(ms)
  // Date.UTC carries 31 April into May, and 24:00 into the next day: such a time was never meant.
  const carried = date.getUTCMonth() !== parts[1] || date.getUTCDate() !== parts[2]
  return Number.isNaN(ms) || carried || parts[4] > 59 || parts[5] > 59 ? undefined : ms
}

/** Unix milliseconds as `yyyyMMdd'T'HHmmss'Z'`. */
export function formatAmzDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '')
}

/** Unix milliseconds as S3 shows times in errors: `2013-05-24T00:00:00Z`. */
export function formatIsoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}/, '')
}
