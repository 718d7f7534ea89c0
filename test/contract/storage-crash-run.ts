/** A run of a storage node that power cuts are tried on: what it does, and what a client knows of it. */
import assert from 'node:assert/strict'
import { COMPACTION_LOOK_MS } from '../../core/limits.ts'
import { type ShardAddress, ShardError } from '../../proto/shard-transport.ts'
import type { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { StorageNode } from '../../storage-node/node.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

/** A generator of its own, so that a seed repeats the run. */
export function seeded(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

export interface Running {
  readonly node: StorageNode
  readonly clock: SimulatedClock
}

export async function open(disk: MemoryDisk, index: MemoryIndex): Promise<Running> {
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 16_000, checkpointBytes: 40_000 }
  const next = seeded(7)
  const random = { bytes: (length: number) => Uint8Array.from({ length }, () => next() * 256) }
  const clock = new SimulatedClock()
  index.powered = () => disk.powered
  const node = await StorageNode.open(options, { disk, index, clock, random, log: silentLog })
  return { node, clock }
}

/** What a client knows of shards: which contents (by seed) each may hold now; 0 is none. */
export class Knowledge {
  readonly #possible = new Map<string, Set<number>>()
  readonly #addresses = new Map<string, ShardAddress>()

  of(address: ShardAddress): Set<number> {
    const name = `${address.blob}/${address.stripe}/${address.shard}`
    this.#addresses.set(name, address)
    const known = this.#possible.get(name) ?? new Set([0])
    this.#possible.set(name, known)
    return known
  }

  *all(): Iterable<{ name: string; address: ShardAddress; possible: Set<number> }> {
    for (const [name, address] of this.#addresses) yield { name, address, possible: this.of(address) }
  }

  copy(): Knowledge {
    const copy = new Knowledge()
    copy.become(this)
    return copy
  }

  become(other: Knowledge): void {
    for (const { address, possible } of other.all()) {
      const known = this.of(address)
      known.clear()
      for (const content of possible) known.add(content)
    }
  }
}

const SIZES = [0, 100, 512, 2000, 4096, 9000]
const sizeOf = (content: number): number => SIZES[content % SIZES.length] ?? 0

const BLOBS = [0, 1, 2, 3, 4, 5]
const STRIPES = [0, 1]
const SHARDS = [0, 1]

/**
 * Puts, puts again, deletes blobs and single shards, several at once, for as long as the disk takes it, with compaction
 * coming in between; tells `knowledge` what was asked for and what was acknowledged.
 */
export async function workload(
  { node, clock }: Running,
  { seed, rounds }: { readonly seed: number; readonly rounds: number },
  knowledge: Knowledge,
): Promise<void> {
  const next = seeded(seed)
  let content = seed * 1000

  /** Runs what makes the shards hold `contents`: until it is acknowledged they may hold that or what they held. */
  async function change(
    shards: readonly { readonly address: ShardAddress; readonly content: number }[],
    action: () => Promise<unknown>,
  ): Promise<void> {
    for (const each of shards) knowledge.of(each.address).add(each.content)
    await action()
    for (const each of shards) {
      const known = knowledge.of(each.address)
      known.clear()
      known.add(each.content)
    }
  }

  async function putOne(address: ShardAddress): Promise<void> {
    const mine = ++content
    await change([{ address, content: mine }], () => node.put(putOf(address, bytesOf(sizeOf(mine), mine))))
  }

  function operate(number: number): Promise<void>[] {
    const blob = blobOf(number)
    const all = STRIPES.flatMap((stripe) => SHARDS.map((shard) => addressOf(1, blob, stripe, shard)))
    const what = next()
    if (what < 0.25) {
      const none = all.map((address) => ({ address, content: 0 }))
      return [change(none, () => node.deleteBlob(1, blob))]
    }
    if (what < 0.45) {
      const shards = all.filter(() => next() < 0.5)
      const none = shards.map((address) => ({ address, content: 0 }))
      return [change(none, () => node.deleteShards({ group: 1, blob, shards, epoch: 1 }))]
    }
    return all.filter(() => next() < 0.6).map(putOne)
  }

  for (let round = 0; round < rounds; round++) {
    // One operation a blob and round: what comes of two at once on the same shard is not known to the client.
    const operations = BLOBS.filter(() => next() < 0.6).flatMap(operate)
    const outcomes = await Promise.allSettled(operations)
    if (outcomes.some(({ status }) => status === 'rejected')) return
    // So that rounds fall before, into and after what compaction does.
    const waits = [0, 0.1, 0.5, COMPACTION_LOOK_MS]
    await clock.sleep(waits[Math.floor(next() * waits.length)] ?? 0)
  }
}

/** Checks that every shard holds what it may hold, and remembers that. */
export async function verify({ node }: Running, knowledge: Knowledge, what: string): Promise<void> {
  let living = 0
  for (const { name, address, possible } of knowledge.all()) {
    const found = await node.get({ address, epoch: 1 }).catch((error: unknown) => {
      const isMissing = error instanceof ShardError && error.code === 'not-found'
      assert.ok(isMissing, `${what}: ${name}: ${String(error)}`)
    })
    if (found === undefined) {
      assert.ok(possible.has(0), `${what}: ${name} is lost`)
      possible.clear()
      possible.add(0)
      continue
    }
    living++
    const content = [...possible].find(
      (each) => each !== 0 && Buffer.from(bytesOf(sizeOf(each), each)).equals(found.data),
    )
    assert.ok(content !== undefined, `${what}: ${name} holds ${found.shardBytes} bytes it should not`)
    possible.clear()
    possible.add(content)
  }
  const { shards, damagedShards } = await node.status()
  assert.deepEqual({ shards, damagedShards }, { shards: living, damagedShards: 0 }, `${what}: counted`)
  const listed = await node.list({ group: 1, limit: 1000 })
  assert.equal(listed.shards.length, living, `${what}: shards listed`)
  const first = listed.shards.filter(({ address }) => address.stripe === 0)
  const counted = node.inventory().counts.reduce((sum, count) => sum + count.blobs, 0)
  assert.equal(counted, first.length, `${what}: inventory`)
}
