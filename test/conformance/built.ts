import type { Store } from '../../store/api.ts'
import { S3_BUCKET_DEFAULTS } from '../../gateway/operations/services.ts'
import type { OperationRow } from '../../gateway/operations/operation.ts'
import { s3Table } from '../../gateway/operations/table.ts'
import { unconfiguredRows } from '../../gateway/operations/unconfigured/rows.ts'
import { readOperation } from '../../gateway/schema/model.ts'

const unused = (): never => {
  throw new Error('no operation runs here')
}

const store: Store = {
  metadata: { call: unused },
  putObject: unused,
  putPart: unused,
  putAnnotation: unused,
  readObject: unused,
  readAnnotation: unused,
}

const services = { store, newUploadId: unused, newVersion: unused, bucketDefaults: S3_BUCKET_DEFAULTS }

const namesOf = (rows: readonly OperationRow[]): ReadonlySet<string> =>
  new Set(rows.map(({ schema }) => readOperation(schema).name))

/** Operations of S3 that have a row in the gateway's table. */
export const builtOperations = namesOf(s3Table(services))

/** Those of them that read what no bucket can have yet, and answer as for a bucket that has none. */
export const unconfiguredOperations = namesOf(unconfiguredRows(services))
