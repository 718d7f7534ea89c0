/** The records of one version, made of what its shards say. */

import { create } from '@bufbuild/protobuf'
import {
  annotationKey,
  manifestPageKey,
  objectKey,
  partKey,
  uploadKey,
  versionKey,
} from '../../core/keyspace/keys.ts'
import { MANIFEST_PAGE_PARTS } from '../../core/limits.ts'
import { blobTimeMs } from '../../core/records/blob-age.ts'
import {
  AnnotationRecordSchema,
  ManifestPageSchema,
  ObjectRecordSchema,
  type PartRecord,
  PartRecordSchema,
  UploadRecordSchema,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import { annotationKind, encodeRecord, manifestKind, objectKind, partKind, uploadKind } from '../records.ts'
import { type BlobDigests, emptyDigests, verifiedOf, verifiedOfParts } from './digests.ts'
import type { BlobFact } from './fact.ts'
import { timeOf, type VersionFacts } from './versions.ts'

/** What cannot be known, and is what S3 gives to those who say nothing. */
const UNKNOWN_CONTENT_TYPE = 'binary/octet-stream'

export interface RecordOptions {
  readonly bucket: string
  readonly key: string
  /** Canonical id of an account. */
  readonly owner: string
  readonly storageClass: string
  /** Where the version stands among those of its key; 0n in a bucket without versions. */
  readonly order: bigint
  readonly versioned: boolean
  readonly current: boolean
}

/** By fact; undefined where bytes cannot be had, or were not to be read. */
export type DigestsOf = (fact: BlobFact) => BlobDigests | undefined

/** An object: its record, the pages of its manifest and its annotations. */
export function objectEntries(
  facts: VersionFacts,
  options: RecordOptions,
  digestsOf: DigestsOf,
): EngineEntry[] {
  const { bucket, key, owner, storageClass, order, versioned, current } = options
  const { version, own, parts, annotations } = facts
  const records = parts.map((fact) => partOf(fact, digestsOf))
  const { pages, offsets, size } = paged(records)
  const verified =
    parts.length > 0
      ? verifiedOfParts(version, parts.map(digestsOf))
      : verifiedOf(own, own === undefined ? emptyDigests() : digestsOf(own))
  const object = create(ObjectRecordSchema, {
    bucket,
    key,
    version,
    size: own?.record.size ?? size,
    etag: verified.etag,
    lastModifiedMs: BigInt(timeOf(facts)),
    headers: { contentType: UNKNOWN_CONTENT_TYPE },
    checksums: [...verified.checksums],
    storageClass,
    owner,
    order,
    versioned,
    annotationCount: annotations.length,
    ...(own === undefined ? {} : { blob: own.record }),
    ...(parts.length === 0 ? {} : { manifest: { partCount: parts.length, pageOffsets: offsets } }),
  })
  const at = current ? objectKey(bucket, key) : versionKey(bucket, key, order)
  return [
    { key: at, value: encodeRecord(objectKind, object) },
    ...pages.map((page, index) => ({
      key: manifestPageKey(bucket, key, version, index),
      value: encodeRecord(manifestKind, create(ManifestPageSchema, { parts: page })),
    })),
    ...annotations.map((fact) => annotationEntry(fact, digestsOf(fact))),
  ]
}

/** An upload in progress, with its parts. */
export function uploadEntries(
  { version, parts }: VersionFacts,
  { bucket, key, owner, storageClass }: RecordOptions,
  digestsOf: DigestsOf,
): EngineEntry[] {
  const place = { bucket, key, uploadId: version }
  const upload = create(UploadRecordSchema, {
    ...place,
    initiatedMs: BigInt(blobTimeMs(version)),
    headers: { contentType: UNKNOWN_CONTENT_TYPE },
    storageClass,
    owner,
    initiator: owner,
  })
  return [
    { key: uploadKey(place), value: encodeRecord(uploadKind, upload) },
    ...parts.map((fact) => ({
      key: partKey(place, fact.position.part),
      value: encodeRecord(partKind, partOf(fact, digestsOf)),
    })),
  ]
}

function partOf(fact: BlobFact, digestsOf: DigestsOf): PartRecord {
  const { record, position } = fact
  const { etag, checksums } = verifiedOf(fact, digestsOf(fact))
  return create(PartRecordSchema, {
    format: 1,
    partNumber: position.part,
    size: record.size,
    etag,
    lastModifiedMs: BigInt(blobTimeMs(record.id)),
    checksums: [...checksums],
    blob: record,
  })
}

function annotationEntry(fact: BlobFact, digests: BlobDigests | undefined): EngineEntry {
  const { position, record } = fact
  const { etag, checksums } = verifiedOf(fact, digests)
  const annotation = create(AnnotationRecordSchema, {
    name: position.annotation,
    size: record.size,
    etag,
    lastModifiedMs: BigInt(blobTimeMs(record.id)),
    checksums: [...checksums],
    blob: record,
  })
  return {
    key: annotationKey(position, position.annotation),
    value: encodeRecord(annotationKind, annotation),
  }
}

function paged(parts: readonly PartRecord[]) {
  const pages: PartRecord[][] = []
  const offsets: bigint[] = []
  let size = 0n
  for (const [index, part] of parts.entries()) {
    if (index % MANIFEST_PAGE_PARTS === 0) {
      pages.push([])
      offsets.push(size)
    }
    pages.at(-1)?.push(part)
    size += part.size
  }
  return { pages, offsets, size }
}
