/** An option of a benchmark has a value it cannot have: said without a stack trace. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The value of an option that counts something. Throws UsageError unless it is an integer of at least 1. */
export function positiveInteger(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`${option} takes a positive integer, not ${text}`)
  }
  return value
}

/** The value of an option that measures something. Throws UsageError unless it is above 0. */
export function positiveNumber(option: string, text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) {
    throw new UsageError(`${option} takes a number above 0, not ${text}`)
  }
  return value
}
