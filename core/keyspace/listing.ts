/**
 * The part of `key` up to and including the first `delimiter` after `prefix`: what S3 lists in place of every key
 * that starts so. Undefined when the key is listed itself, as it always is for an empty delimiter.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
 */
export function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.slice(0, at + delimiter.length)
}
