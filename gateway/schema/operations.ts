/** All operations of S3, from the schemas the SDK exports. */
import * as client from '@aws-sdk/client-s3'
import { isOperationSchema, readOperation, type OperationShape } from './model.ts'

/** Name → operation, sorted by name; 112 of them in the package this was written against. */
export const s3Operations: ReadonlyMap<string, OperationShape> = new Map(
  Object.values(client)
    .filter(isOperationSchema)
    .map(readOperation)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((operation) => [operation.name, operation]),
)
