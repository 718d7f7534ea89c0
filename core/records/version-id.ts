/**
 * Version ids as clients see them. S3 says of them only that they are opaque UTF-8 of at most 1,024 bytes, "null" for
 * the version of an object that has none of its own; AWS's have 32 letters, digits, dots and underscores (LocalStack's
 * `test_object_version_id_format`), and so have ours: none begins with a dash, which command lines take for an option.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
 */

export const NULL_VERSION_ID = 'null'

/** The name of one version, and where it stands among the versions of its key. */
export interface VersionPlace {
  /** 32 lower-case hex digits. */
  readonly version: string
  readonly order: bigint
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._'
const VERSION_ID = /^[A-Za-z0-9._]{32}$/
const CHARACTERS = 32
const ORDER_DIGITS = 16

/** 128 bits of the version and 64 of its order: a place in the key space that is found without an index. */
export function formatVersionId({ version, order }: VersionPlace): string {
  let bits = (BigInt(`0x${version}`) << 64n) | order
  let text = ''
  for (let i = 0; i < CHARACTERS; i++) {
    text = ALPHABET.charAt(Number(bits & 63n)) + text
    bits >>= 6n
  }
  return text
}

/** Undefined for what {@link formatVersionId} never makes, `null` included. */
export function parseVersionId(text: string): VersionPlace | undefined {
  if (!VERSION_ID.test(text)) return undefined
  let bits = 0n
  for (const character of text) bits = (bits << 6n) | BigInt(ALPHABET.indexOf(character))
  const digits = bits.toString(16).padStart(CHARACTERS + ORDER_DIGITS, '0')
  return { version: digits.slice(0, CHARACTERS), order: BigInt(`0x${digits.slice(CHARACTERS)}`) }
}

/** The version id of a record. */
export function versionIdOf(record: VersionPlace & { readonly versioned: boolean }): string {
  return record.versioned ? formatVersionId(record) : NULL_VERSION_ID
}
