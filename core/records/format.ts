/** Data here was written by a program that knows a later format. Nothing was changed. */
export class NewerFormatError extends Error {
  override readonly name = 'NewerFormatError'
  readonly found: number
  readonly known: number

  constructor(what: string, found: number, known: number) {
    super(`${what} was made by a newer Ashlar (format ${found}, this program knows ${known})`)
    this.found = found
    this.known = known
  }
}

/**
 * @param what names the data for the message, such as `the object record`
 * @throws {NewerFormatError}
 */
export function assertKnownFormat(what: string, found: number, known: number): void {
  if (found > known) throw new NewerFormatError(what, found, known)
}
