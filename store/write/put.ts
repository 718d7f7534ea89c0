/** The three writes: an object, a part of a multipart upload, and an annotation of an object. */

import { ANNOTATIONS_PER_VERSION_MAX, RECORD_FORMAT } from '../../core/limits.ts'
import { ANNOTATION_STORAGE_CLASS } from '../../core/records/annotation.ts'
import { versionIdOf } from '../../core/records/version-id.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import { MetadataError, type MetadataReply } from '../../proto/metadata-api.ts'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import { createChecksum } from '../../runtime/crypto/checksum.ts'
import {
  type AcceptedContent,
  type Content,
  type PutAnnotation,
  type PutAnnotationResult,
  type PutObject,
  type PutPart,
} from '../api.ts'
import type { Environment } from '../environment.ts'
import { Scope } from '../scope.ts'
import { BlobWrite } from './blob-write.ts'
import { commit, CommitRefused, type Commit } from './commit.ts'
import { findVersion } from './find-version.ts'
import { ContentReader } from './content-reader.ts'
import { discard } from './discard.ts'
import { placeBlob } from './place-blob.ts'

/** What a commit says of a blob; the relocations are also what repair owes. */
interface BlobInit {
  readonly id: string
  readonly size: bigint
  readonly code: string
  readonly group: number
  readonly relocations: readonly {
    readonly shard: number
    readonly firstStripe: number
    readonly stripeCount: number
    readonly node: string
  }[]
}

interface Written {
  /** Bytes of the content, which its `size` may only bound. */
  readonly size: number
  readonly accepted: AcceptedContent
  /** Absent for size 0. */
  readonly blob?: BlobInit
}

/** How a commit is made of what was written, given the admission that it brings. */
type Prepare<T> = (written: Written) => Pick<Commit<T>, 'find'> & { send(admission: bigint): Promise<T> }

type Ownership = Pick<ShardOwner, 'bucket' | 'key' | 'version' | 'part' | 'annotation'>

export async function putObject(
  environment: Environment,
  request: PutObject,
  signal?: AbortSignal,
): Promise<ObjectRecord> {
  const { metadata, clock, random } = environment
  const { bucket, key, owner, headers, storageClass, tags, acl, conditions, content } = request
  const version = newIdentifier(clock, random)
  const ownership = { bucket, key, version, part: 0 }
  return write(environment, content, storageClass, ownership, signal, ({ size, accepted, blob }) => ({
    send: async (admission) => {
      const object = {
        format: RECORD_FORMAT,
        bucket,
        key,
        version,
        size: BigInt(size),
        etag: accepted.etag,
        headers,
        checksums: [...accepted.checksums],
        storageClass,
        owner,
        ...(tags === undefined ? {} : { tags }),
        ...(acl === undefined ? {} : { acl }),
        ...(blob === undefined ? {} : { blob: copy(blob) }),
      }
      const reply = await metadata.call('commitObject', {
        object,
        conditions,
        repairs: repairs(ownership, blob),
        admission,
      })
      return present(reply.object)
    },
    find: (inquiry) => findVersion(metadata, { bucket, key, version }, inquiry),
  }))
}

export async function putPart(
  environment: Environment,
  request: PutPart,
  signal?: AbortSignal,
): Promise<PartRecord> {
  const { metadata } = environment
  const { bucket, key, uploadId, partNumber, storageClass, content } = request
  const ownership = { bucket, key, version: uploadId, part: partNumber }
  return write(environment, content, storageClass, ownership, signal, ({ size, accepted, blob }) => ({
    send: async (admission) => {
      const part = {
        format: RECORD_FORMAT,
        partNumber,
        size: BigInt(size),
        etag: accepted.etag,
        checksums: [...accepted.checksums],
        ...(blob === undefined ? {} : { blob: copy(blob) }),
      }
      const reply = await metadata.call('commitPart', {
        bucket,
        key,
        uploadId,
        part,
        repairs: repairs(ownership, blob),
        admission,
      })
      return present(reply.part)
    },
    find: async (inquiry) => {
      const asked = { bucket, key, uploadId, after: partNumber - 1, limit: 1 }
      const { parts } = await metadata.call('listParts', asked, inquiry)
      const [part] = parts
      if (part?.partNumber !== partNumber) return undefined
      // An empty part has no blob to be known by, but then any empty part is as good.
      if (blob === undefined) return part.size === 0n && part.etag === accepted.etag ? part : undefined
      return part.blob?.id === blob.id ? part : undefined
    },
  }))
}

export async function putAnnotation(
  environment: Environment,
  { object, name, ifMatch, content }: PutAnnotation,
  signal?: AbortSignal,
): Promise<PutAnnotationResult> {
  const { metadata } = environment
  const { bucket, key, version } = object
  const versionId = versionIdOf(object)
  const ownership = { bucket, key, version, part: 0, annotation: name }
  return write(
    environment,
    content,
    ANNOTATION_STORAGE_CLASS,
    ownership,
    signal,
    ({ size, accepted, blob }) => ({
      send: async (admission) => {
        const annotation = {
          format: RECORD_FORMAT,
          name,
          size: BigInt(size),
          etag: accepted.etag,
          checksums: [...accepted.checksums],
          ...(blob === undefined ? {} : { blob: copy(blob) }),
        }
        const reply = await metadata.call('putAnnotation', {
          bucket,
          key,
          versionId,
          version,
          annotation,
          ...(ifMatch === undefined ? {} : { ifMatch }),
          limitPerObject: ANNOTATIONS_PER_VERSION_MAX,
          repairs: repairs(ownership, blob),
          admission,
        })
        return annotated(reply)
      },
      find: async (inquiry) => {
        const reply = await metadata.call('getAnnotation', { bucket, key, versionId, name }, inquiry)
        return reply.annotation?.blob?.id === blob?.id ? annotated(reply) : undefined
      },
    }),
  )
}

function annotated({
  annotation,
  object,
}: MetadataReply<'putAnnotation' | 'getAnnotation'>): PutAnnotationResult {
  return { annotation: present(annotation), object: present(object) }
}

/** Leave first, then shards, then the record: only the commit makes anything visible. */
async function write<T>(
  environment: Environment,
  content: Content,
  storageClass: string,
  ownership: Ownership,
  signal: AbortSignal | undefined,
  prepare: Prepare<T>,
): Promise<T> {
  const { admission: leave } = environment
  const scope = new Scope(signal)
  try {
    const admission = await leave.ask(ownership, content.size, signal)
    const admitted = (written: Written): Commit<T> => {
      const prepared = prepare(written)
      return { send: () => prepared.send(admission), find: (inquiry) => prepared.find(inquiry) }
    }
    if (content.size === 0) {
      const accepted = await acceptEmpty(content, scope)
      return await commitOrThrow(environment, admitted({ size: 0, accepted }))
    }
    return await writeBlob(environment, content, storageClass, ownership, scope, admitted)
  } catch (error) {
    const overload = error instanceof MetadataError && error.code === FailureCode.SLOW_DOWN
    if (overload) leave.refused(ownership.bucket)
    throw error
  } finally {
    scope.end()
  }
}

async function writeBlob<T>(
  environment: Environment,
  content: Content,
  storageClass: string,
  ownership: Ownership,
  scope: Scope,
  prepare: (written: Written) => Commit<T>,
): Promise<T> {
  const { snapshot, group, id } = await placeBlob(environment, storageClass, content.size)
  const code = group.pool.code.name
  const owner: ShardOwner = { ...ownership, code, blobBytes: content.size }
  const blobWrite = new BlobWrite(environment, scope, content, { snapshot, group, blob: id, owner })
  let sent = false
  try {
    const accepted = await blobWrite.run((digests) => content.accept(digests))
    const { size } = blobWrite
    const relocations = size === 0 ? [] : blobWrite.relocations()
    const blob = { id, size: BigInt(size), code, group: group.id, relocations }
    scope.throwIfAborted()
    const prepared = prepare(size === 0 ? { size, accepted } : { size, accepted, blob })
    sent = true
    return await commitOrThrow(environment, prepared, () => {
      sent = false
    })
  } catch (error) {
    if (!sent) discard(environment, group.id, id, blobWrite)
    throw error
  } finally {
    environment.background.run(blobWrite.settled())
  }
}

async function commitOrThrow<T>(
  environment: Environment,
  prepared: Commit<T>,
  refused: () => void = () => undefined,
): Promise<T> {
  try {
    return await commit(environment.clock, prepared)
  } catch (error) {
    if (!(error instanceof CommitRefused)) throw error
    refused()
    throw error.error
  }
}

async function acceptEmpty(content: Content, scope: Scope): Promise<AcceptedContent> {
  const reader = new ContentReader(content, scope)
  try {
    await reader.end()
    scope.throwIfAborted()
    return content.accept(new Map(content.digests.map((name) => [name, createChecksum(name).digest()])))
  } catch (error) {
    reader.abandon()
    throw error
  }
}

function repairs({ bucket, key, version, part, annotation }: Ownership, blob: BlobInit | undefined) {
  if (blob === undefined || blob.relocations.length === 0) return []
  return [{ bucket, key, version, part, annotation: annotation ?? '', blob: copy(blob) }]
}

/** A message of its own for each place it is put in. */
function copy(blob: BlobInit) {
  return { ...blob, relocations: blob.relocations.map((relocation) => ({ ...relocation })) }
}

function present<T>(record: T | undefined): T {
  if (record === undefined) throw new Error('metadata confirmed a commit without its record')
  return record
}
