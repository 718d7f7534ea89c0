/** A store over fakes, and short ways to write and read. */

import assert from 'node:assert/strict'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import type { AcceptedContent, Content, DigestName, PutObject } from '../api.ts'
import { createStore, type ClosableStore, type StoreSettings } from '../store.ts'
import { clusterMap, type MapShape } from './cluster-map.ts'
import { contractBreach } from './contract-checker.ts'
import { FakeMetadata } from './fake-metadata.ts'
import { FakeShards } from './fake-shards.ts'
import { SimulatedClock } from './simulated-clock.ts'

export interface Harness {
  readonly store: ClosableStore
  readonly metadata: FakeMetadata
  readonly shards: FakeShards
  readonly clock: SimulatedClock
  /** Commits that broke the acknowledgement contract. */
  readonly breaches: string[]
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<ObjectRecord>
  read(record: ObjectRecord, start?: number, end?: number): Promise<Buffer>
  /** All memory is given back and nothing is in flight, once what runs in the background has had its time. */
  assertIdle(): Promise<void>
}

export interface PutOptions {
  readonly chunkBytes?: number
  readonly signal?: AbortSignal
  readonly digests?: readonly DigestName[]
  readonly accept?: Content['accept']
}

export function createHarness(
  shape: MapShape & { readonly countOnly?: boolean; readonly seed?: number } = {},
  settings: Partial<StoreSettings> = {},
): Harness {
  const clock = new SimulatedClock()
  const metadata = new FakeMetadata(clusterMap(shape), clock)
  const ids = metadata.map.nodes.map((node) => node.id)
  const shards = new FakeShards(clock, ids, { countOnly: shape.countOnly ?? false })
  metadata.damagedOn = (node) => shards.node(node).damagedShards
  const store = createStore({
    metadata,
    shards,
    clock,
    random: seededRandom(shape.seed ?? 1),
    log: silentLog,
    settings: {
      computeWorkers: 0,
      writeMemoryBytes: 32 * 1024 * 1024,
      readMemoryBytes: 16 * 1024 * 1024,
      ...settings,
    },
  })
  const breaches: string[] = []
  metadata.onCommit = (blob, repairs) => {
    const breach = contractBreach(metadata, shards, blob, repairs)
    if (breach !== undefined) breaches.push(breach)
  }
  return {
    store,
    metadata,
    shards,
    clock,
    breaches,
    put: (key, bytes, options = {}) =>
      clock.drive(store.putObject(putRequest(key, contentOf(bytes, options)), options.signal)),
    read: (record, start = 0, end = Number(record.size)) =>
      clock.drive(collect(store.readObject(record, { start, end }))),
    async assertIdle() {
      await clock.pass(30_000)
      const memory = store.cluster().memory
      const { writeBytes: _w, readBytes: _r, readBufferBytes: _b, repairBytes: _p, ...used } = memory
      assert.deepEqual(
        { ...used, inFlight: shards.bytesInFlight },
        {
          writeBytesUsed: 0,
          writesWaiting: 0,
          readBytesUsed: 0,
          readsWaiting: 0,
          repairBytesUsed: 0,
          repairsWaiting: 0,
          readBufferBytesUsed: 0,
          inFlight: 0,
        },
      )
    },
  }
}

export function putRequest(key: string, content: Content): PutObject {
  return {
    bucket: 'bucket',
    key,
    owner: 'owner',
    headers: {},
    storageClass: 'STANDARD',
    conditions: {},
    content,
  }
}

export function contentOf(bytes: Uint8Array, options: PutOptions = {}): Content {
  const { chunkBytes = 100_000, digests = ['MD5'], accept = acceptAny } = options
  return { size: bytes.byteLength, bytes: inChunks(bytes, chunkBytes), digests, accept }
}

/** Takes the MD5 as the ETag, as a gateway does. */
export function acceptAny(digests: ReadonlyMap<DigestName, Uint8Array>): AcceptedContent {
  return { etag: Buffer.from(digests.get('MD5') ?? []).toString('hex'), checksums: [] }
}

/** Each chunk in the same buffer, as the contract of a content allows: what is kept by reference is soon wrong. */
async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(chunkBytes, Math.max(1, bytes.byteLength)))
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) {
    const piece = bytes.subarray(at, at + chunkBytes)
    buffer.set(piece)
    await Promise.resolve()
    yield buffer.subarray(0, piece.byteLength)
    buffer.fill(0xee)
  }
}

export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const piece of pieces) all.push(Buffer.from(piece))
  return Buffer.concat(all)
}

/** Bytes that look random and are the same every time. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = (seed * 2654435761) >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

export function seededRandom(seed: number): Random {
  let calls = 0
  return { bytes: (length) => bytesOf(length, seed * 1_000_003 + ++calls) }
}
