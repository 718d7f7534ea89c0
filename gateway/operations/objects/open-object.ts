import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import type { ByteRange } from '../../../store/api.ts'
import { isRangeStale, requireReadConditions, type ReadConditions } from '../../rules/conditions.ts'
import { encodeHeader } from '../../schema/header-text.ts'
import { responseOverrides, type ResponseOverrideInput } from '../../rules/response-overrides.ts'
import { findObject } from './find-object.ts'
import { checksumMembers, describeObject } from './object-members.ts'
import { checkSelection, selectBytes, type SelectionInput } from './object-selection.ts'
import type { RequestContext } from '../operation.ts'

export type OpenInput = ReadConditions &
  SelectionInput &
  ResponseOverrideInput & {
    readonly Bucket: string
    readonly Key: string
    readonly VersionId?: string | undefined
    /** RFC 9110 §13.1.5; no member of the SDK's inputs, but browsers send it. */
    readonly IfRange?: string | undefined
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
  method: 'GET' | 'HEAD',
  context: RequestContext,
): Promise<OpenedObject> {
  checkSelection(input)
  const overrides = responseOverrides(input, context.sender.kind === 'anonymous')
  const { record, version } = await findObject(metadata, input, method, context)
  const described = { ...describeObject(record), ...overrides, ...version }
  const current = { etag: record.etag, lastModifiedMs: Number(record.lastModifiedMs) }
  requireReadConditions(input, current, context.nowMs, () => unchangedHeaders(described))
  const { bytes, contentRange, partsCount, checksums } = await selectBytes(
    metadata,
    record,
    isRangeStale(input.IfRange, current) ? {} : input,
    context.signal,
  )
  return {
    record,
    bytes,
    members: {
      ...described,
      ContentLength: bytes.end - bytes.start,
      ...(contentRange === undefined ? {} : { ContentRange: contentRange }),
      ...(partsCount === undefined ? {} : { PartsCount: partsCount }),
      ...(input.ChecksumMode === 'ENABLED' ? checksumMembers(checksums) : {}),
    },
  }
}

/** What a cache must learn again from a 304: RFC 9110 §15.4.5 has it carry these, and S3 names the version too. */
function unchangedHeaders({
  CacheControl,
  ExpiresString,
  VersionId,
}: {
  readonly CacheControl?: string | undefined
  readonly ExpiresString?: string | undefined
  readonly VersionId?: string | undefined
}): Record<string, string> {
  return {
    ...(CacheControl === undefined ? {} : { 'cache-control': encodeHeader(CacheControl) }),
    ...(ExpiresString === undefined ? {} : { expires: encodeHeader(ExpiresString) }),
    ...(VersionId === undefined ? {} : { 'x-amz-version-id': VersionId }),
  }
}
