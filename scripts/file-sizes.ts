/** A file past this many lines needs its reason below: what would be lost by cutting it. */
export const linesWithoutReason = 400
/** A file past this many lines is cut, whatever the reason. */
export const linesAtMost = 800

/** Why these files are longer than `linesWithoutReason`. Last in this file: test/checks puts a list of its own here. */
export const reasons: Readonly<Record<string, string>> = {
  'core/limits.ts': 'Every bound of the system in one place is what it is for.',
  'gateway/errors/table.ts': 'One row for every error S3 documents: a table reads best whole.',
  'proto/ashlar/v1/metadata.proto':
    'One service and its messages; half of it is the comments that bind both sides.',
  'test/conformance/CompleteMultipartUpload.test.ts':
    'One conformance file per operation, and this one has the most rules.',
  'test/conformance/GetObject.test.ts':
    'One conformance file per operation; this one has ranges, parts, versions and conditions.',
  'test/conformance/PutObject.test.ts':
    'One conformance file per operation; this one has bodies, metadata and conditions.',
  'test/conformance/authorization.test.ts':
    'One table of who may do what, written by hand, which reads best whole.',
}
