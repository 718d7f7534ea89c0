/**
 * Rules of bucket names.
 * Source: S3 User Guide, "General purpose bucket naming rules" (2026). `-an` ends the names of account regional namespaces,
 * which are not built. That a hyphen stands at neither end of a label is no longer in the guide (it was until 2018: each
 * label "must start and end with a lowercase letter or a number"); ceph/s3-tests notes that AWS holds to it still.
 */

const allowed = /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/
const ipv4 = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/

/** Prefixes and suffixes that AWS keeps for itself: names here must stay usable there. */
const reservedPrefixes = ['xn--', 'sthree-', 'amzn-s3-demo-']
const reservedSuffixes = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3', '-an']

/**
 * True when a bucket of this name may be made: 3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at
 * either end of every label between dots, not the form of an IPv4 address, none of AWS's reserved prefixes and suffixes.
 */
export function isCreatableBucketName(name: string): boolean {
  return (
    allowed.test(name) &&
    !/\.[.-]|-\./.test(name) &&
    !ipv4.test(name) &&
    !reservedPrefixes.some((prefix) => name.startsWith(prefix)) &&
    !reservedSuffixes.some((suffix) => name.endsWith(suffix))
  )
}

/**
 * True when a request may name this bucket at all: the looser rule of the oldest buckets (3 to 255 letters, digits, dots,
 * hyphens, underscores). Such a bucket may not exist; anything else is `InvalidBucketName`.
 */
export function isAddressableBucketName(name: string): boolean {
  return /^[A-Za-z0-9._-]{3,255}$/.test(name)
}
