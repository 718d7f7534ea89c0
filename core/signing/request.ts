/** What a signature covers, free of HTTP libraries. */

/** Header fields by lower-case name, every occurrence in order; the shape of Node's `headersDistinct`. */
export type HeaderFields = Readonly<Record<string, readonly string[] | undefined>>

/**
 * A request as it stood on the wire. Strings are byte strings (one character, one byte), as Node's HTTP parser gives
 * them: nothing may have been decoded, normalised or re-encoded on the way.
 */
export interface SignableRequest {
  /** As sent, e.g. `GET`. */
  readonly method: string
  /** The path of the request target, percent-encoded, without the query: `/bucket/a%20b`. */
  readonly rawPath: string
  /** The query of the request target, without its `?`; empty when there is none. */
  readonly rawQuery: string
  readonly headers: HeaderFields
}

/** All values of a header; empty when absent. `name` is lower case and may come from the client. */
export function headerValues(headers: HeaderFields, name: string): readonly string[] {
  // A client may sign a header named `constructor`: only the record's own fields count.
  return (Object.hasOwn(headers, name) ? headers[name] : undefined) ?? []
}

/** The values of a header as one, joined by commas (RFC 9110 §5.3); undefined when absent. */
export function headerValue(headers: HeaderFields, name: string): string | undefined {
  const values = headerValues(headers, name)
  return values.length === 0 ? undefined : values.join(',')
}
