/**
 * The Content-Encoding to keep with an object: what the client sent without `aws-chunked`, which spoke about the
 * transfer. Undefined when nothing is left.
 * Source: S3, "Transferring Payload in Multiple Chunks": S3 stores the object without the aws-chunked value.
 */
export function storedContentEncoding(sent: string | undefined): string | undefined {
  const codings = (sent ?? '').split(',').map((coding) => coding.trim())
  if (!codings.some((coding) => coding.toLowerCase() === 'aws-chunked')) return sent === '' ? undefined : sent
  const left = codings.filter((coding) => coding !== '' && coding.toLowerCase() !== 'aws-chunked')
  return left.length === 0 ? undefined : left.join(', ')
}
