import { type KeyRange, KeyReader, KeyWriter, prefixRange } from './bytes.ts'
import { decodeUtf8 } from './utf8.ts'

/**
 * Where everything lies in the engine's one ordered key space. The first byte names the space; texts sort as UTF-8.
 *
 *     01                              format of the whole engine
 *     01 "restoring"                  a restore is under way, or was cut short
 *     01 "restored"                   restores that nobody has accepted yet
 *     02 partition                    lease of a partition: whoever's token is here may commit; under the last number, of who clears leftovers
 *     03                              cluster map
 *     04 partition                    outbox sequences up to here may have been given out
 *     05 partition                    orders of versions up to here may have been given out
 *     06                              partition map
 *     07 node                         a metadata process, as it says it is
 *     08                              the engine's own id
 *     09                              how far the journal on the storage nodes is
 *     09 number                       keys of a batch that the journal may lack
 *     10 name                         bucket
 *     11 owner · name                 buckets of an account (empty value)
 *     12 name · kind                  setting of a bucket
 *     20 bucket · key                 object: the current version, unless that is a delete marker
 *     21 bucket · key · version, page manifest page
 *     22 bucket · key · upload        multipart upload
 *     23 bucket · key · upload, part  its parts
 *     24 bucket · partition           purge: uploads of a deleted bucket are to be aborted
 *     25 bucket · key · upload        purge: parts of a finished upload are to be removed
 *     26 bucket · key · ~order        every other version and every delete marker, the newest of a key first
 *     27 bucket · key                 order of the null version, where that lies in 26
 *     28 bucket · key · version, name annotation of a version of an object
 *     29 bucket · key · version       purge: annotations of a removed version are to be removed
 *     30 partition, sequence          outbox: garbage
 *     31 partition, sequence          outbox: repairs
 *     40 bucket · key · version · annotation · part, blob  what shards say, while metadata is rebuilt from them
 *
 * A partition is a range of (bucket, key). Spaces 20 to 29 all start with those two, so one range of positions is one
 * range in each of them ({@link spacesAt}), and splitting it moves no record. The outbox is kept by partition instead,
 * because its order is the commit's: the half that keeps the partition's id keeps what was written before the split,
 * the other starts an outbox of its own. That is sound since a task names its bucket and key, and its worker asks
 * whoever owns them by then.
 */
export const SPACE = {
  format: 0x01,
  lease: 0x02,
  clusterMap: 0x03,
  outboxReserve: 0x04,
  orderReserve: 0x05,
  partitionMap: 0x06,
  member: 0x07,
  engineId: 0x08,
  journal: 0x09,
  bucket: 0x10,
  ownedBucket: 0x11,
  bucketSetting: 0x12,
  object: 0x20,
  manifest: 0x21,
  upload: 0x22,
  part: 0x23,
  bucketPurge: 0x24,
  uploadPurge: 0x25,
  version: 0x26,
  nullVersion: 0x27,
  annotation: 0x28,
  annotationPurge: 0x29,
  outbox: 0x30,
  repairOutbox: 0x31,
  rebuild: 0x40,
} as const

/**
 * The partition of what is the cluster's and no object's: spaces 03 to 12. It is never split, and lies on the coordination
 * engine, as do the partition map and the members.
 */
export const ROOT_PARTITION = 0

/** No partition, but under its lease is removed what moves between engines have left on an engine. */
export const CLEARING_PARTITION = Number.MAX_SAFE_INTEGER

/** Whether records of this kind are read again and again: buckets and their settings, objects and uploads. */
export function isHotKey(key: Uint8Array): boolean {
  const space = key[0]
  return (
    space === SPACE.object ||
    space === SPACE.bucket ||
    space === SPACE.bucketSetting ||
    space === SPACE.upload
  )
}

/** One multipart upload. */
export interface UploadPlace {
  readonly bucket: string
  readonly key: string
  readonly uploadId: string
}

export const formatKey: Uint8Array = new KeyWriter(SPACE.format).bytes()
export const restoringKey: Uint8Array = new KeyWriter(SPACE.format).rest('restoring').bytes()
export const restoredKey: Uint8Array = new KeyWriter(SPACE.format).rest('restored').bytes()
export const clusterMapKey: Uint8Array = new KeyWriter(SPACE.clusterMap).bytes()

export const partitionMapKey: Uint8Array = new KeyWriter(SPACE.partitionMap).bytes()
export const engineIdKey: Uint8Array = new KeyWriter(SPACE.engineId).bytes()

/** @param node a metadata process */
export function memberKey(node: string): Uint8Array {
  return new KeyWriter(SPACE.member).rest(node).bytes()
}

export function memberSpace(): KeyRange {
  return prefixRange(new KeyWriter(SPACE.member).bytes())
}

export function leaseKey(partition: number): Uint8Array {
  return new KeyWriter(SPACE.lease).number(partition, 8).bytes()
}

export function outboxReserveKey(partition: number): Uint8Array {
  return new KeyWriter(SPACE.outboxReserve).number(partition, 8).bytes()
}

export function orderReserveKey(partition: number): Uint8Array {
  return new KeyWriter(SPACE.orderReserve).number(partition, 8).bytes()
}

export function bucketKey(name: string): Uint8Array {
  return new KeyWriter(SPACE.bucket).rest(name).bytes()
}

/** Buckets, whoever owns them, whose names start with `prefix`. */
export function bucketRange(prefix: string): KeyRange {
  return prefixRange(bucketKey(prefix))
}

export function ownedBucketKey(owner: string, name: string): Uint8Array {
  return new KeyWriter(SPACE.ownedBucket).text(owner).rest(name).bytes()
}

/** Buckets of `owner` whose names start with `prefix`. */
export function ownedBucketRange(owner: string, prefix: string): KeyRange {
  return prefixRange(ownedBucketKey(owner, prefix))
}

export function readOwnedBucketKey(key: Uint8Array): { owner: string; name: string } {
  const reader = new KeyReader(key)
  const owner = decodeUtf8(reader.text())
  return { owner, name: decodeUtf8(reader.rest()) }
}

/** @param kind the setting's field number in its message */
export function bucketSettingKey(name: string, kind: number): Uint8Array {
  return new KeyWriter(SPACE.bucketSetting).text(name).number(kind, 2).bytes()
}

/** All settings of one bucket. */
export function bucketSettingRange(name: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.bucketSetting).text(name).bytes())
}

export function objectKey(bucket: string, key: string): Uint8Array {
  return new KeyWriter(SPACE.object).text(bucket).rest(key).bytes()
}

/** Objects of `bucket` whose keys start with `prefix`. */
export function objectRange(bucket: string, prefix: string): KeyRange {
  return prefixRange(objectKey(bucket, prefix))
}

/** The key of an object whose bucket is known: what follows the {@link objectKey} of the empty key. */
export function readObjectKey(key: Uint8Array, bucketStart: Uint8Array): string {
  return decodeUtf8(key.subarray(bucketStart.length))
}

/** Reads {@link objectKey}. */
export function readObjectPosition(key: Uint8Array): { bucket: string; key: string } {
  const reader = new KeyReader(key)
  const bucket = decodeUtf8(reader.text())
  return { bucket, key: decodeUtf8(reader.rest()) }
}

/** A version that is not the current object of its key, or a delete marker. @param order 0 ≤ order < 2^64 */
export function versionKey(bucket: string, key: string, order: bigint): Uint8Array {
  return new KeyWriter(SPACE.version).text(bucket).text(key).descending(order).bytes()
}

/** Such versions of exactly this key, the newest first. */
export function versionsOfKey(bucket: string, key: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.version).text(bucket).text(key).bytes())
}

/** Such versions of the keys of `bucket` that start with `prefix`, in order of (key, newest first). */
export function versionRange(bucket: string, prefix: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.version).text(bucket).openText(prefix).bytes())
}

/** The key of the object that a {@link versionKey} belongs to. */
export function readVersionKey(key: Uint8Array): string {
  const reader = new KeyReader(key)
  reader.text()
  return decodeUtf8(reader.text())
}

/** Where the null version is, if it is under a {@link versionKey}: its value is {@link nullVersionValue}. */
export function nullVersionKey(bucket: string, key: string): Uint8Array {
  return new KeyWriter(SPACE.nullVersion).text(bucket).text(key).bytes()
}

/** The first byte stands where a key has its space, and is 1: the value's own format. */
export function nullVersionValue(order: bigint): Uint8Array {
  return new KeyWriter(1).descending(order).bytes()
}

export function readNullVersionValue(value: Uint8Array): bigint {
  return new KeyReader(value).descending()
}

export function manifestPageKey(bucket: string, key: string, version: string, page: number): Uint8Array {
  return new KeyWriter(SPACE.manifest).text(bucket).text(key).text(version).number(page, 4).bytes()
}

export function uploadKey({ bucket, key, uploadId }: UploadPlace): Uint8Array {
  return new KeyWriter(SPACE.upload).text(bucket).text(key).rest(uploadId).bytes()
}

/** Uploads of `bucket` to keys that start with `prefix`, in order of (key, upload id). */
export function uploadRange(bucket: string, prefix: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.upload).text(bucket).openText(prefix).bytes())
}

/** Uploads to exactly this key. */
export function uploadsToKey(bucket: string, key: string): KeyRange {
  return prefixRange(uploadKey({ bucket, key, uploadId: '' }))
}

/** Reads {@link uploadKey}, and {@link uploadPurgeKey}, which has the same shape. */
export function readUploadKey(key: Uint8Array): UploadPlace {
  const reader = new KeyReader(key)
  const bucket = decodeUtf8(reader.text())
  const objectName = decodeUtf8(reader.text())
  return { bucket, key: objectName, uploadId: decodeUtf8(reader.rest()) }
}

export function partKey({ bucket, key, uploadId }: UploadPlace, partNumber: number): Uint8Array {
  return new KeyWriter(SPACE.part).text(bucket).text(key).text(uploadId).number(partNumber, 2).bytes()
}

export function partRange({ bucket, key, uploadId }: UploadPlace): KeyRange {
  return prefixRange(new KeyWriter(SPACE.part).text(bucket).text(key).text(uploadId).bytes())
}

export function bucketPurgeKey(bucket: string, partition: number): Uint8Array {
  return new KeyWriter(SPACE.bucketPurge).text(bucket).number(partition, 8).bytes()
}

/** Those of one bucket, of whichever partition. */
export function bucketPurgeRange(bucket: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.bucketPurge).text(bucket).bytes())
}

export function bucketPurgeSpace(): KeyRange {
  return prefixRange(new KeyWriter(SPACE.bucketPurge).bytes())
}

/** Earlier programs, which had one partition, did not name it. */
export function readBucketPurgeKey(key: Uint8Array): { bucket: string; partition: number } {
  const reader = new KeyReader(key)
  const bucket = decodeUtf8(reader.text())
  return { bucket, partition: reader.rest().length === 0 ? 1 : reader.number(8) }
}

export function uploadPurgeKey({ bucket, key, uploadId }: UploadPlace): Uint8Array {
  return new KeyWriter(SPACE.uploadPurge).text(bucket).text(key).rest(uploadId).bytes()
}

export function uploadPurgeSpace(): KeyRange {
  return prefixRange(new KeyWriter(SPACE.uploadPurge).bytes())
}

/** One version of an object: of whatever kind it is, and wherever its record lies. */
export interface VersionOfObject {
  readonly bucket: string
  readonly key: string
  /** 32 lower-case hex digits. */
  readonly version: string
}

export function annotationKey({ bucket, key, version }: VersionOfObject, name: string): Uint8Array {
  return new KeyWriter(SPACE.annotation).text(bucket).text(key).text(version).rest(name).bytes()
}

/** Annotations of one version whose names start with `prefix`, in order of name. */
export function annotationRange(version: VersionOfObject, prefix: string): KeyRange {
  return prefixRange(annotationKey(version, prefix))
}

export function annotationPurgeKey({ bucket, key, version }: VersionOfObject): Uint8Array {
  return new KeyWriter(SPACE.annotationPurge).text(bucket).text(key).rest(version).bytes()
}

export function annotationPurgeSpace(): KeyRange {
  return prefixRange(new KeyWriter(SPACE.annotationPurge).bytes())
}

export function readAnnotationPurgeKey(key: Uint8Array): VersionOfObject {
  const reader = new KeyReader(key)
  const bucket = decodeUtf8(reader.text())
  const objectName = decodeUtf8(reader.text())
  return { bucket, key: objectName, version: decodeUtf8(reader.rest()) }
}

/** Whether a key is a marker that a purge goes by. */
export function isPurgeKey(key: Uint8Array): boolean {
  const space = key[0]
  return space === SPACE.annotationPurge || space === SPACE.uploadPurge || space === SPACE.bucketPurge
}

/** What the tasks of an outbox ask for: each kind lies apart, so that its worker reads no others. */
export type OutboxTaskKind = 'garbage' | 'repair'

const OUTBOX_SPACES: Readonly<Record<OutboxTaskKind, number>> = {
  garbage: SPACE.outbox,
  repair: SPACE.repairOutbox,
}

export function outboxKey(partition: number, kind: OutboxTaskKind, sequence: number): Uint8Array {
  return new KeyWriter(OUTBOX_SPACES[kind]).number(partition, 8).number(sequence, 8).bytes()
}

export function outboxRange(partition: number, kind: OutboxTaskKind): KeyRange {
  return prefixRange(new KeyWriter(OUTBOX_SPACES[kind]).number(partition, 8).bytes())
}

export function readOutboxKey(key: Uint8Array): { partition: number; sequence: number } {
  const reader = new KeyReader(key)
  return { partition: reader.number(8), sequence: reader.number(8) }
}

/** The first key at or after a position in each space that is cut by (bucket, key). */
export function spacesAt(bucket: string, key: string): Uint8Array[] {
  return [
    objectKey(bucket, key),
    ...[
      SPACE.manifest,
      SPACE.upload,
      SPACE.part,
      SPACE.uploadPurge,
      SPACE.version,
      SPACE.nullVersion,
      SPACE.annotation,
      SPACE.annotationPurge,
    ].map((space) => new KeyWriter(space).text(bucket).openText(key).bytes()),
  ]
}

/** Where a blob belongs, as its shards say. */
export interface BlobPosition extends VersionOfObject {
  /** Empty: not an annotation's. */
  readonly annotation: string
  /** 0: not a part's. */
  readonly part: number
  /** The blob's id. */
  readonly blob: string
}

/** While metadata is rebuilt: all that shards say, in order of what they belong to. */
export function rebuildKey({ bucket, key, version, annotation, part, blob }: BlobPosition): Uint8Array {
  const place = new KeyWriter(SPACE.rebuild).text(bucket).text(key).text(version).text(annotation)
  return place.number(part, 2).rest(blob).bytes()
}

export function rebuildSpace(): KeyRange {
  return prefixRange(new KeyWriter(SPACE.rebuild).bytes())
}

export function rebuildRangeOfBucket(bucket: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.rebuild).text(bucket).bytes())
}

export function rebuildRangeOfKey(bucket: string, key: string): KeyRange {
  return prefixRange(new KeyWriter(SPACE.rebuild).text(bucket).text(key).bytes())
}

export function readRebuildKey(key: Uint8Array): BlobPosition {
  const reader = new KeyReader(key)
  const [bucket = '', name = '', version = '', annotation = ''] = Array.from({ length: 4 }, () =>
    decodeUtf8(reader.text()),
  )
  return {
    bucket,
    key: name,
    version,
    annotation,
    part: reader.number(2),
    blob: decodeUtf8(reader.rest()),
  }
}
