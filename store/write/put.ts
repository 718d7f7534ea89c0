/** The two writes: an object, and a part of a multipart upload. */

import { RECORD_FORMAT } from '../../core/limits.ts'
import { groupOf } from '../../core/placement/group.ts'
import type { ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import { createChecksum } from '../../runtime/crypto/checksum.ts'
import { StoreError, type AcceptedContent, type Content, type PutObject, type PutPart } from '../api.ts'
import type { Environment } from '../environment.ts'
import { Scope } from '../scope.ts'
import { BlobWrite } from './blob-write.ts'
import { commit, CommitRefused, type Commit } from './commit.ts'
import { ContentReader } from './content-reader.ts'
import { discard } from './discard.ts'

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

type Ownership = Pick<ShardOwner, 'bucket' | 'key' | 'version' | 'part'>

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
    send: async () => {
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
      })
      return present(reply.object)
    },
    find: async (inquiry) => {
      const { object } = await metadata.call('getObject', { bucket, key }, inquiry)
      return object?.version === version ? object : undefined
    },
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
    send: async () => {
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

/** Shards first, then the record: only the commit makes anything visible. */
async function write<T>(
  environment: Environment,
  content: Content,
  storageClass: string,
  ownership: Ownership,
  signal: AbortSignal | undefined,
  prepare: (written: Written) => Commit<T>,
): Promise<T> {
  const scope = new Scope(signal)
  try {
    if (content.size === 0) {
      const accepted = await acceptEmpty(content, scope)
      return await commitOrThrow(environment, prepare({ size: 0, accepted }))
    }
    return await writeBlob(environment, content, storageClass, ownership, scope, prepare)
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
  const { cluster, clock, random } = environment
  const snapshot = cluster.current ?? (await cluster.ready('unwritable'))
  const pool = snapshot.poolFor(storageClass, content.size)
  const id = newIdentifier(clock, random)
  const group = pool?.groups[groupOf(id, pool.groups.length)]
  if (pool === undefined || group === undefined) {
    throw new StoreError('unwritable', `no pool of storage class ${storageClass} takes ${content.size} bytes`)
  }
  const owner: ShardOwner = { ...ownership, code: pool.code.name, blobBytes: content.size }
  const blobWrite = new BlobWrite(environment, scope, content, { snapshot, group, blob: id, owner })
  let sent = false
  try {
    const accepted = await blobWrite.run((digests) => content.accept(digests))
    const { size } = blobWrite
    const relocations = size === 0 ? [] : blobWrite.relocations()
    const blob = { id, size: BigInt(size), code: pool.code.name, group: group.id, relocations }
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

function repairs({ bucket, key, version }: Ownership, blob: BlobInit | undefined) {
  if (blob === undefined || blob.relocations.length === 0) return []
  return [{ bucket, key, version, blob: copy(blob) }]
}

/** A message of its own for each place it is put in. */
function copy(blob: BlobInit) {
  return { ...blob, relocations: blob.relocations.map((relocation) => ({ ...relocation })) }
}

function present<T>(record: T | undefined): T {
  if (record === undefined) throw new Error('metadata confirmed a commit without its record')
  return record
}
