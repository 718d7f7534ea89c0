/** `--deep`: every shard is read where it lies, and every object is held against its ETag and its checksums. */

import { checksumAlgorithmNamed, type ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { toBase64 } from '../../core/checksum/base64.ts'
import { compositeChecksum, fullObjectChecksum, multipartEtag } from '../../core/checksum/multipart.ts'
import { FSCK_READS_IN_FLIGHT_MAX } from '../../core/limits.ts'
import {
  type ShardAddress,
  type ShardBlocks,
  ShardError,
  type ShardErrorCode,
} from '../../proto/shard-transport.ts'
import type { Checksum, ObjectRecord, PartRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { checksumOf, createChecksum, md5Of } from '../../runtime/crypto/checksum.ts'
import { StoreError } from '../../store/api.ts'
import type { StoredContent } from '../../store/read/blob-ranges.ts'
import { wholeShard } from '../../store/repair/whole-shard.ts'
import { askMetadata, eachOf, inTime } from '../blob/context.ts'
import type { FsckContext } from './context.ts'
import type { Finding, ShardAt } from './finding.ts'
import type { DescribedBlob } from './looks.ts'
import { unlessGone } from './gone.ts'
import { lookAgain } from './second-look.ts'

/** Reads all shards of these blobs, but those whose nodes know them to be damaged. @throws the signal's reason */
export async function readShards(context: FsckContext, blobs: readonly DescribedBlob[]): Promise<void> {
  await eachOf(blobs, FSCK_READS_IN_FLIGHT_MAX, async (blob) => {
    const bad = await readBlob(context, blob)
    if (bad.length === 0) return
    // It may have been removed meanwhile, or repaired: then another look at it sees nothing of it.
    const [place] = blob.places
    const [verdict] = await lookAgain(context, [{ group: blob.group, blob: blob.blob }])
    if (verdict === undefined || (verdict.stray === undefined && place === undefined)) return
    const still = await readBlob(context, { ...blob, held: blob.held.filter((one) => bad.some(same(one))) })
    if (still.length === 0) return
    const about = { group: blob.group, blob: blob.blob, ...(place === undefined ? {} : { place }) }
    context.tell({ kind: 'corrupt', detail: 'they cannot be read where they lie', ...about, shards: still })
  })
}

function same(one: ShardAt): (other: ShardAt) => boolean {
  return ({ node, stripe, shard }) => node === one.node && stripe === one.stripe && shard === one.shard
}

async function readBlob(context: FsckContext, { group, blob, held }: DescribedBlob): Promise<ShardAt[]> {
  const { world, signal, counts, reading } = context
  let { epoch } = await context.look()
  const get = (node: string, address: ShardAddress): Promise<ShardBlocks> =>
    inTime(world.clock, signal, (ending) =>
      world.shards.node(node).get({ address, epoch, background: true }, ending),
    )
  const bad: ShardAt[] = []
  for (const { node, stripe, shard, bytes, damaged } of held) {
    if (damaged) continue
    await reading.shard(bytes, signal)
    const address = { group, blob, stripe, shard }
    try {
      const blocks = await get(node, address).catch(async (error: unknown) => {
        if (codeOf(error) !== 'stale-map') throw error
        epoch = (await context.look()).epoch
        return await get(node, address)
      })
      wholeShard(blocks, bytes)
      counts.shardsRead++
    } catch (error) {
      signal.throwIfAborted()
      if (codeOf(error) === 'corrupt') bad.push({ node, stripe, shard })
      // What is gone was removed or moved since it was listed; all else says nothing of the shard.
      else if (codeOf(error) !== 'not-found') context.missed(`shards on node ${node}`, error)
    }
  }
  return bad
}

function codeOf(error: unknown): ShardErrorCode | undefined {
  return error instanceof ShardError ? error.code : undefined
}

export type ReadContent = (content: StoredContent, signal: AbortSignal) => AsyncIterable<Uint8Array>

/** Holds objects against their records, so many at a time. */
export class ObjectReader {
  readonly #read: ReadContent

  constructor(read: ReadContent) {
    this.#read = read
  }

  /** @throws {MetadataError}, or the signal's reason */
  async verify(
    context: FsckContext,
    object: ObjectRecord,
    parts: readonly PartRecord[] | undefined,
  ): Promise<void> {
    if (object.manifest !== undefined && parts === undefined) return
    const fault = await this.#faultOf(context, object, parts)
    context.counts.objectsRead++
    if (fault === undefined) return
    const { bucket, key, version } = object
    const now = await unlessGone(
      askMetadata(context.world, context.signal, 'getObject', { bucket, key, versionId: '' }),
    )
    // An object that was replaced while it was read may have lost its bytes; older versions are kept.
    if (now?.object?.version !== version && !object.versioned) return
    context.tell({ ...fault, place: { bucket, key, version } })
  }

  async #faultOf(
    context: FsckContext,
    object: ObjectRecord,
    parts: readonly PartRecord[] | undefined,
  ): Promise<Finding | undefined> {
    try {
      const faults =
        parts === undefined
          ? await this.#single(context, object)
          : await this.#manyParts(context, object, parts)
      if (faults.length === 0) return undefined
      return { kind: 'digest', detail: `its bytes do not have its ${faults.join(', ')}` }
    } catch (error) {
      context.signal.throwIfAborted()
      if (!(error instanceof StoreError)) throw error
      return { kind: 'digest', detail: `its bytes cannot be read: ${error.message}` }
    }
  }

  async #single(context: FsckContext, object: ObjectRecord): Promise<string[]> {
    const { bucket, key, version, size, blob } = object
    const content = { bucket, key, version, size, ...(blob === undefined ? {} : { blob }) }
    const digests = await this.#digests(context, content, algorithmsOf(object.checksums))
    return wrong(object, digests)
  }

  async #manyParts(
    context: FsckContext,
    object: ObjectRecord,
    parts: readonly PartRecord[],
  ): Promise<string[]> {
    const { bucket, key, version } = object
    const faults: string[] = []
    const all: { readonly digests: Digests; readonly bytes: number }[] = []
    const wanted = algorithmsOf([...object.checksums, ...parts.flatMap(({ checksums }) => checksums)])
    for (const part of parts) {
      const { size, blob, partNumber } = part
      const content = {
        bucket,
        key,
        version,
        size,
        part: partNumber,
        ...(blob === undefined ? {} : { blob }),
      }
      const digests = await this.#digests(context, content, wanted)
      all.push({ digests, bytes: Number(size) })
      faults.push(...wrong(part, digests).map((what) => `${what} of part ${partNumber}`))
    }
    const etag = multipartEtag(
      all.map(({ digests }) => digestOf(digests, 'MD5')),
      md5Of,
    )
    if (MULTIPART_ETAG.test(object.etag) && etag !== `"${object.etag}"`) faults.push('ETag')
    for (const { algorithm, value, type } of object.checksums) {
      const name = checksumAlgorithmNamed(algorithm)
      if (name === undefined) continue
      const raw = all.map(({ digests, bytes }) => ({ crc: digestOf(digests, name), bytes }))
      const found =
        type === 'COMPOSITE'
          ? compositeChecksum(
              raw.map(({ crc }) => crc),
              (bytes) => checksumOf(name, bytes),
            )
          : base64(fullObjectChecksum(name, raw))
      if (found !== undefined && found !== value) faults.push(`checksum ${algorithm}`)
    }
    return faults
  }

  async #digests(
    { signal, reading }: FsckContext,
    content: StoredContent,
    algorithms: readonly ChecksumAlgorithm[],
  ): Promise<Digests> {
    const running = algorithms.map((name) => [name, createChecksum(name)] as const)
    if (content.size > 0n) {
      for await (const piece of this.#read(content, signal)) {
        for (const [, checksum] of running) checksum.update(piece)
        await reading.object(piece.byteLength, signal)
      }
    }
    return new Map(running.map(([name, checksum]) => [name, checksum.digest()]))
  }
}

/** ETags that are MD5s, or made of them: others, such as those of a rebuild without digests, say nothing of the bytes. */
const SIMPLE_ETAG = /^[0-9a-f]{32}$/
const MULTIPART_ETAG = /^[0-9a-f]{32}-\d+$/

type Digests = ReadonlyMap<ChecksumAlgorithm, Uint8Array>

function digestOf(digests: Digests, name: ChecksumAlgorithm): Uint8Array {
  return digests.get(name) ?? new Uint8Array()
}

function base64(raw: Uint8Array | undefined): string | undefined {
  return raw === undefined ? undefined : toBase64(raw)
}

/** The MD5, and what is recorded; algorithms that this program does not know are left out. */
function algorithmsOf(checksums: readonly Checksum[]): ChecksumAlgorithm[] {
  const names = checksums.flatMap(({ algorithm }) => checksumAlgorithmNamed(algorithm) ?? [])
  return [...new Set<ChecksumAlgorithm>(['MD5', ...names])]
}

/** What of a record its bytes do not have. */
function wrong({ etag, checksums }: Pick<PartRecord, 'etag' | 'checksums'>, digests: Digests): string[] {
  const md5 = Buffer.from(digestOf(digests, 'MD5')).toString('hex')
  const faults = SIMPLE_ETAG.test(etag) && md5 !== etag ? ['ETag'] : []
  for (const { algorithm, value } of checksums) {
    const name = checksumAlgorithmNamed(algorithm)
    const digest = name === undefined ? undefined : digests.get(name)
    if (digest !== undefined && toBase64(digest) !== value) faults.push(`checksum ${algorithm}`)
  }
  return faults
}
