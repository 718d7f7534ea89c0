import { fromBinary, type Message, toBinary } from '@bufbuild/protobuf'
import type { GenMessage } from '@bufbuild/protobuf/codegenv2'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import type { OutboxTaskKind } from '../core/keyspace/keys.ts'
import { RECORD_FORMAT } from '../core/limits.ts'
import { assertKnownFormat } from '../core/records/format.ts'
import { ClusterMapSchema } from '../proto/gen/ashlar/v1/cluster_pb.js'
import { MetadataMemberSchema, PartitionMapSchema } from '../proto/gen/ashlar/v1/partitions_pb.js'
import {
  AnnotationRecordSchema,
  BucketRecordSchema,
  BucketSettingSchema,
  ChecksumSchema,
  ManifestPageSchema,
  ObjectRecordSchema,
  OutboxRecordSchema,
  PartRecordSchema,
  RestoreRecordSchema,
  UploadRecordSchema,
} from '../proto/gen/ashlar/v1/records_pb.js'

/** A persistent record: its message, and its name for errors. */
export interface RecordKind<T extends Message & { format: number }> {
  readonly what: string
  readonly schema: GenMessage<T>
}

export const bucketKind = { what: 'the bucket record', schema: BucketRecordSchema }
export const settingKind = { what: 'the bucket setting', schema: BucketSettingSchema }
export const objectKind = { what: 'the object record', schema: ObjectRecordSchema }
export const manifestKind = { what: 'the manifest page', schema: ManifestPageSchema }
export const uploadKind = { what: 'the upload record', schema: UploadRecordSchema }
export const partKind = { what: 'the part record', schema: PartRecordSchema }
export const annotationKind = { what: 'the annotation record', schema: AnnotationRecordSchema }
export const outboxKind = { what: 'the outbox record', schema: OutboxRecordSchema }
export const partitionMapKind = { what: 'the partition map', schema: PartitionMapSchema }
export const memberKind = { what: 'the record of a metadata process', schema: MetadataMemberSchema }
export const restoreKind = { what: 'the record of restores', schema: RestoreRecordSchema }
export const clusterMapKind = { what: 'the cluster map', schema: ClusterMapSchema }

/** @throws {NewerFormatError} */
export function decodeRecord<T extends Message & { format: number }>(
  kind: RecordKind<T>,
  bytes: Uint8Array,
): T {
  const record = fromBinary(kind.schema, bytes)
  assertKnownFormat(kind.what, record.format, RECORD_FORMAT)
  return record
}

/** Stamps the record with this program's format and encodes it. */
export function encodeRecord<T extends Message & { format: number }>(
  kind: RecordKind<T>,
  record: T,
): Uint8Array {
  record.format = RECORD_FORMAT
  return toBinary(kind.schema, record)
}

/** What a listing shows of an object. */
export interface ObjectLine {
  size: bigint
  etag: string
  lastModifiedMs: bigint
  storageClass: string
  owner: string
  checksumAlgorithms: string[]
  checksumType: string
}

const OBJECT = ObjectRecordSchema.field

/** What a listing of versions shows: of an object, or of a delete marker. */
export interface VersionLine extends ObjectLine {
  version: string
  order: bigint
  versioned: boolean
  deleteMarker: boolean
}

/**
 * Reads only what a listing shows out of an object record: a few times cheaper than decoding it with its headers and
 * its blob, and most of the cost of a listing.
 * @throws {NewerFormatError}
 */
export function readObjectLine(bytes: Uint8Array): ObjectLine {
  const line = emptyLine()
  readLine(bytes, line)
  return line
}

/** The same with what makes a version of it. @throws {NewerFormatError} */
export function readVersionLine(bytes: Uint8Array): VersionLine {
  const line: VersionLine = { ...emptyLine(), version: '', order: 0n, versioned: false, deleteMarker: false }
  readLine(bytes, line, (reader, field) => {
    if (field === OBJECT.version.number) line.version = reader.string()
    else if (field === OBJECT.order.number) line.order = BigInt(reader.uint64())
    else if (field === OBJECT.versioned.number) line.versioned = reader.bool()
    else if (field === OBJECT.deleteMarker.number) line.deleteMarker = reader.bool()
    else return false
    return true
  })
  return line
}

function emptyLine(): ObjectLine {
  return {
    size: 0n,
    etag: '',
    lastModifiedMs: 0n,
    storageClass: '',
    owner: '',
    checksumAlgorithms: [],
    checksumType: '',
  }
}

/** @param readOther whether it has read the field, which is none of the line's own */
function readLine(
  bytes: Uint8Array,
  line: ObjectLine,
  readOther?: (reader: BinaryReader, field: number) => boolean,
): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === OBJECT.format.number) {
      assertKnownFormat(objectKind.what, reader.uint32(), RECORD_FORMAT)
    } else if (field === OBJECT.size.number) line.size = BigInt(reader.uint64())
    else if (field === OBJECT.etag.number) line.etag = reader.string()
    else if (field === OBJECT.lastModifiedMs.number) line.lastModifiedMs = BigInt(reader.uint64())
    else if (field === OBJECT.storageClass.number) line.storageClass = reader.string()
    else if (field === OBJECT.owner.number) line.owner = reader.string()
    else if (field === OBJECT.checksums.number) {
      const checksum = fromBinary(ChecksumSchema, reader.bytes())
      line.checksumAlgorithms.push(checksum.algorithm)
      line.checksumType = checksum.type
    } else if (readOther?.(reader, field) !== true) reader.skip(wire, field)
  }
}

/** Which task an outbox record holds, and from when, without decoding it. */
export function outboxHeadOf(bytes: Uint8Array): { task: OutboxTaskKind | undefined; createdMs: number } {
  const { createdMs: created, garbage, repair } = OutboxRecordSchema.field
  const reader = new BinaryReader(bytes)
  let createdMs = 0
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === garbage.number) return { task: 'garbage', createdMs }
    if (field === repair.number) return { task: 'repair', createdMs }
    if (field === created.number) createdMs = Number(reader.uint64())
    else reader.skip(wire, field)
  }
  return { task: undefined, createdMs }
}

/** The version of an object record, without decoding the rest: for looking through a key's many versions. */
export function versionOf(bytes: Uint8Array): string {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag()
    if (field === OBJECT.version.number) return reader.string()
    reader.skip(wire, field)
  }
  return ''
}
