/** Simple values between their text on the wire and their form in the SDK's types. */
import type { TimestampFormat } from './model.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** The largest magnitude of a time in a `Date`, ECMAScript §21.4.1.1. */
const DATE_MS_MAX = 8.64e15

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The text of a simple value. Throws a TypeError on anything else, which would print as `[object Object]`. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new TypeError(`expected a string, a number or a boolean, not ${typeof value}`)
}

/** Decimal integer, exactly representable; undefined when the text is anything else. */
export function parseInteger(text: string): number | undefined {
  if (!/^[+-]?[0-9]{1,19}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** `true` or `false` in any case; undefined when the text is anything else. */
export function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase()
  return lower === 'true' ? true : lower === 'false' ? false : undefined
}

export function parseTimestamp(text: string, format: TimestampFormat): Date | undefined {
  switch (format) {
    case 'date-time':
      return parseDateTime(text)
    case 'http-date':
      return parseHttpDate(text)
    case 'epoch-seconds':
      return parseEpochSeconds(text)
  }
}

export function formatTimestamp(date: Date, format: TimestampFormat): string {
  switch (format) {
    case 'date-time':
      // Whole seconds with a fraction of zero, as the service writes them: what a listing tells is then what Last-Modified
      // tells (recorded by LocalStack's `test_s3_list_objects_timestamp_precision`).
      return `${date.toISOString().slice(0, -5)}.000Z`
    case 'http-date':
      return formatHttpDate(date)
    case 'epoch-seconds':
      return String(date.getTime() / 1000)
  }
}

/** RFC 9110 §5.6.7, IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`. Milliseconds are cut off. */
export function formatHttpDate(date: Date): string {
  // ECMAScript §21.4.4.43 prescribes exactly this form.
  return date.toUTCString()
}

const imfFixdate =
  /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2})(\.\d{1,3})? (?:GMT|UTC|\+0000)$/
const rfc850 =
  /^(?:Sun|Mon|Tues|Wednes|Thurs|Fri|Satur)day, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const asctime = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat) ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/** The three forms of RFC 9110 §5.6.7 that a recipient must accept; the day's name is not checked. */
export function parseHttpDate(text: string): Date | undefined {
  let match = imfFixdate.exec(text)
  if (match) {
    return build(match[3], match[2], match[1], [match[4], match[5], match[6]], match[7])
  }
  match = rfc850.exec(text)
  if (match) {
    // Two-digit years: as POSIX strptime, 69 to 99 are the last century, 00 to 68 this one.
    const year = Number(match[3])
    return build(String(year < 69 ? 2000 + year : 1900 + year), match[2], match[1], [
      match[4],
      match[5],
      match[6],
    ])
  }
  match = asctime.exec(text)
  if (match) return build(match[6], match[1], match[2], [match[3], match[4], match[5]])
  return undefined
}

function build(
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
  time: readonly (string | undefined)[],
  fraction?: string,
): Date | undefined {
  const monthIndex = months.indexOf(month ?? '')
  if (monthIndex < 0) return undefined
  return exactDate(Number(year), monthIndex, Number(day), time.map(Number), fraction)
}

const dateTime =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/
const dateOnly = /^(\d{4})-(\d{2})-(\d{2})(?:Z)?$/

/** RFC 3339 date-time, or a date alone as midnight UTC, which S3 accepts in lifecycle rules. */
function parseDateTime(text: string): Date | undefined {
  const day = dateOnly.exec(text)
  if (day) return exactDate(Number(day[1]), Number(day[2]) - 1, Number(day[3]), [0, 0, 0])
  const match = dateTime.exec(text)
  if (!match) return undefined
  const time = [Number(match[4]), Number(match[5]), Number(match[6])]
  const local = exactDate(Number(match[1]), Number(match[2]) - 1, Number(match[3]), time, match[7])
  if (!local || !match[8]) return local
  const [hours, minutes] = [Number(match[9]), Number(match[10])]
  if (hours > 23 || minutes > 59) return undefined
  const offset = (hours * 60 + minutes) * 60_000
  return new Date(local.getTime() - (match[8] === '+' ? offset : -offset))
}

function parseEpochSeconds(text: string): Date | undefined {
  if (!/^-?\d{1,14}(?:\.\d{1,9})?$/.test(text)) return undefined
  const ms = Math.round(Number(text) * 1000)
  return Math.abs(ms) <= DATE_MS_MAX ? new Date(ms) : undefined
}

/** A date whose fields are all in range: `Date.UTC` alone would carry February 30 into March. */
function exactDate(
  year: number,
  month: number,
  day: number,
  time: readonly number[],
  fraction?: string,
): Date | undefined {
  const [hours = NaN, minutes = NaN, seconds = NaN] = time
  if (!(hours < 24 && minutes < 60 && seconds <= 60)) return undefined
  const ms = fraction === undefined ? 0 : Number(fraction.slice(1, 4).padEnd(3, '0'))
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined
  // A leap second is counted as the one before it.
  date.setUTCHours(hours, minutes, Math.min(seconds, 59), ms)
  return date
}
