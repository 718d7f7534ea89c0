import { create } from '@bufbuild/protobuf'
import { bucketSettingKey, bucketSettingRange } from '../../core/keyspace/keys.ts'
import { BUCKET_SETTING_BYTES_MAX, ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import { type BucketSetting, BucketSettingSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import { invalidRequest } from '../failure.ts'
import { encodeRecord, settingKind } from '../records.ts'
import type { Partition } from '../partition/partition.ts'

/**
 * What a bucket has beside its record: one document a kind, each a record of its own, since some are read with every
 * request and others almost never. A kind is a field of BucketSetting: its name in requests, its number in the key.
 */
const KINDS: ReadonlyMap<string, number> = new Map(
  BucketSettingSchema.fields
    .filter((field) => field.oneof?.localName === 'setting')
    .map((field) => [field.localName, field.number]),
)

/** Where a setting lies, by its kind. @throws {MetadataError} INVALID_REQUEST */
export function settingKey(bucket: string, kind: string | undefined): Uint8Array {
  const number = kind === undefined ? undefined : KINDS.get(kind)
  if (number === undefined) throw invalidRequest(`buckets have no setting ${kind ?? 'without a kind'}`)
  return bucketSettingKey(bucket, number)
}

/** @throws {MetadataError} INVALID_REQUEST */
export function settingEntry(bucket: string, { setting }: BucketSetting): EngineEntry {
  const key = settingKey(bucket, setting.case)
  const value = encodeRecord(settingKind, create(BucketSettingSchema, { setting }))
  if (value.length > BUCKET_SETTING_BYTES_MAX) {
    throw invalidRequest(`a setting of a bucket has at most ${BUCKET_SETTING_BYTES_MAX} bytes`)
  }
  return { key, value }
}

/** The settings that a bucket is created with. @throws {MetadataError} INVALID_REQUEST */
export function firstSettings(bucket: string, settings: readonly BucketSetting[]): EngineEntry[] {
  if (new Set(settings.map(({ setting }) => setting.case)).size < settings.length) {
    throw invalidRequest('a bucket has one setting of a kind')
  }
  return settings.map((setting) => settingEntry(bucket, setting))
}

/** Where the bucket's settings lie. The caller holds the bucket's lock, and has waited until all is settled. */
export async function settingKeys(partition: Partition, bucket: string): Promise<Uint8Array[]> {
  // By range and not by kind: a newer program may have written kinds that this one does not know.
  const entries = await partition.scan({ ...bucketSettingRange(bucket), limit: ENGINE_SCAN_ENTRIES_MAX })
  return entries.map(({ key }) => key)
}
