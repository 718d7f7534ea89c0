/** A blob written again as another, in the pool where new ones of its class and size go: after a change of a pool's code. */

import { stripeDataBytes } from '../../core/erasure/layout.ts'
import { create } from '@bufbuild/protobuf'
import { BlobRecordSchema, type BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { createChecksum } from '../../runtime/crypto/checksum.ts'
import { StoreError, type Content } from '../api.ts'
import type { Environment } from '../environment.ts'
import { readObject } from '../read/read-object.ts'
import type { StoredContent } from '../read/blob-ranges.ts'
import { Scope } from '../scope.ts'
import { BlobWrite } from '../write/blob-write.ts'
import { discard, removeFrom } from '../write/discard.ts'
import { placeBlob } from '../write/place-blob.ts'
import type { RecodeBlob } from './api.ts'
import { Payer } from './payer.ts'

/** Fast, and long enough that no accident gives two blobs the same. */
const DIGEST = 'XXHASH3'

export async function recodeBlob(
  environment: Environment,
  request: RecodeBlob,
  signal?: AbortSignal,
): Promise<BlobRecord> {
  const scope = new Scope(signal)
  try {
    scope.throwIfAborted()
    return await recode(environment, request, scope, signal)
  } finally {
    scope.end()
  }
}

async function recode(
  environment: Environment,
  { blob: old, place, storageClass, budget, verify = true }: RecodeBlob,
  scope: Scope,
  signal: AbortSignal | undefined,
): Promise<BlobRecord> {
  const size = Number(old.size)
  if (size === 0) throw new RangeError('there is no blob of no bytes')
  const payer = new Payer(budget)
  const { bucket, key, version, part, annotation } = place
  const target = await placeBlob(environment, storageClass, size)
  const { snapshot, group, id } = target
  const { code } = group.pool
  const named = annotation === '' ? {} : { annotation }
  const whose = { bucket, key, version, part, ...named }
  const contentOf = (blob: BlobRecord): StoredContent => ({ ...whose, size: old.size, blob })
  let digest = ''
  const content: Content = {
    size,
    bytes: stripes(readObject(environment, contentOf(old), { start: 0, end: size }, signal), {
      stripeBytes: stripeDataBytes(code),
      // Read, written with its parity, and read again.
      before: (bytes) => payer.pay(Math.ceil(bytes * (1 + code.total / code.k + (verify ? 1 : 0))), scope),
      size,
    }),
    digests: [DIGEST],
    accept: (digests) => {
      digest = hex(digests.get(DIGEST))
      return { etag: '', checksums: [] }
    },
  }
  const owner = { ...whose, code: code.name, blobBytes: size }
  // Clients' writes do not wait for memory that re-encoding holds.
  const apart = { ...environment, writeMemory: environment.repairMemory }
  const write = new BlobWrite(apart, scope, content, { snapshot, group, blob: id, owner })
  try {
    await write.run((digests) => content.accept(digests))
    const relocations = write.relocations()
    const blob = create(BlobRecordSchema, {
      id,
      size: old.size,
      code: code.name,
      group: group.id,
      relocations,
    })
    if (verify && (await digestOf(environment, contentOf(blob), signal)) !== digest) {
      throw new StoreError('unreadable', `blob ${id} is not what was read of blob ${old.id}`)
    }
    scope.throwIfAborted()
    return blob
  } catch (error) {
    discard(environment, group.id, id, write)
    throw error
  } finally {
    environment.background.run(write.settled())
  }
}

export async function discardBlob(environment: Environment, blob: BlobRecord): Promise<void> {
  const { cluster } = environment
  const slots = cluster.current?.group(blob.group)?.slots ?? []
  const nodes = new Set([
    ...slots.flatMap((slot) => [slot.node, slot.source]),
    ...blob.relocations.map(({ node }) => node),
  ])
  nodes.delete('')
  await Promise.all([...nodes].map((node) => removeFrom(environment, node, blob.group, blob.id)))
}

interface Stripes {
  readonly stripeBytes: number
  readonly size: number
  /** Called with the bytes of each stripe before they are read. */
  readonly before: (bytes: number) => Promise<void>
}

/**
 * The same bytes, cut where the new blob's stripes end: what has to wait for its turn waits between two stripes, when the
 * write holds no memory to be filled.
 */
async function* stripes(
  pieces: AsyncIterable<Uint8Array>,
  { stripeBytes, size, before }: Stripes,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = 0
  await before(Math.min(stripeBytes, size))
  for await (const piece of pieces) {
    for (let at = 0; at < piece.byteLength;) {
      const left = stripeBytes - (offset % stripeBytes)
      const cut = piece.subarray(at, at + left)
      yield cut
      at += cut.byteLength
      offset += cut.byteLength
      if (offset % stripeBytes === 0 && offset < size) await before(Math.min(stripeBytes, size - offset))
    }
  }
}

async function digestOf(
  environment: Environment,
  content: StoredContent,
  signal: AbortSignal | undefined,
): Promise<string> {
  const running = createChecksum(DIGEST)
  for await (const piece of readObject(
    environment,
    content,
    { start: 0, end: Number(content.size) },
    signal,
  )) {
    running.update(piece)
  }
  return hex(running.digest())
}

function hex(digest: Uint8Array | undefined): string {
  if (digest === undefined) throw new Error('no digest was taken')
  return Buffer.from(digest).toString('hex')
}
