import type { OperationRow } from '../../gateway/operations/operation.ts'
import { s3Table } from '../../gateway/operations/table.ts'
import { idleServices } from '../../gateway/operations/testing.ts'
import { unconfiguredRows } from '../../gateway/operations/unconfigured/rows.ts'
import { readOperation } from '../../gateway/schema/model.ts'

const namesOf = (rows: readonly OperationRow[]): ReadonlySet<string> =>
  new Set(rows.map(({ schema }) => readOperation(schema).name))

/** Operations of S3 that have a row in the gateway's table. */
export const builtOperations = namesOf(s3Table(idleServices))

/** Those of them that read what no bucket can have yet, and answer as for a bucket that has none. */
export const unconfiguredOperations = namesOf(unconfiguredRows(idleServices))
