import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import type { ByteRange } from '../../../store/api.ts'
import { requireReadConditions, type ReadConditions } from '../../rules/conditions.ts'
import { responseOverrides, type ResponseOverrideInput } from '../../rules/response-overrides.ts'
import { checksumMembers, describeObject } from './object-members.ts'
import { checkSelection, selectBytes, type SelectionInput } from './object-selection.ts'
import type { RequestContext } from '../operation.ts'

export type OpenInput = ReadConditions &
  SelectionInput &
  ResponseOverrideInput & {
    readonly Bucket: string
    readonly Key: string
    readonly ChecksumMode?: 'ENABLED' | undefined
  }

export interface OpenedObject {
  readonly record: ObjectRecord
  readonly bytes: ByteRange
  /** The output but for the body. */
  readonly members: Omit<GetObjectCommandOutput, '$metadata' | 'Body'>
}

/**
 * What GetObject and HeadObject do alike, in S3's order: parameters (400), the object (404), conditions (412, 304), range or
 * part (416).
 */
export async function openObject(
  metadata: MetadataApi,
  input: OpenInput,
  { sender, signal }: RequestContext,
): Promise<OpenedObject> {
  checkSelection(input)
  const overrides = responseOverrides(input, sender.kind === 'anonymous')
  const { object: record } = await metadata.call(
    'getObject',
    { bucket: input.Bucket, key: input.Key },
    signal,
  )
  if (record === undefined) throw new Error('metadata answered getObject without an object')
  requireReadConditions(input, { etag: record.etag, lastModifiedMs: Number(record.lastModifiedMs) })
  const { bytes, contentRange, partsCount, checksums } = await selectBytes(metadata, record, input, signal)
  return {
    record,
    bytes,
    members: {
      ...describeObject(record),
      ...overrides,
      ContentLength: bytes.end - bytes.start,
      ...(contentRange === undefined ? {} : { ContentRange: contentRange }),
      ...(partsCount === undefined ? {} : { PartsCount: partsCount }),
      ...(input.ChecksumMode === 'ENABLED' ? checksumMembers(checksums) : {}),
    },
  }
}
