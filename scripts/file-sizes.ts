/** A file past this many lines needs its reason below: what would be lost by cutting it. */
export const linesWithoutReason = 400
/** A file past this many lines is cut, whatever the reason. */
export const linesAtMost = 800

/** Why these files are longer than `linesWithoutReason`. Last in this file: test/checks puts a list of its own here. */
export const reasons: Readonly<Record<string, string>> = {
  'core/limits.ts': 'Every bound of the system in one place is what it is for.',
  'gateway/errors/table.ts': 'One row for every error S3 documents: a table reads best whole.',
  'test/conformance/CompleteMultipartUpload.test.ts':
    'One conformance file per operation, and this one has the most rules.',
}
