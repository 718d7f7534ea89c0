/** Background work over the fakes of the store, and what must be true in the end. */

import assert from 'node:assert/strict'
import { clone } from '@bufbuild/protobuf'
import { parseCode } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { GROUP_DEEP_PASS_MS } from '../../core/limits.ts'
import { relocatedTo } from '../../core/placement/relocation.ts'
import { ClusterMapSchema, type ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { FinishedSlot } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { MapShape } from '../../store/testing/cluster-map.ts'
import { DOWN } from '../../store/testing/fake-shards.ts'
import { bytesOf, createHarness, seededRandom, type Harness } from '../../store/testing/harness.ts'
import { startWorker, type RunningWorker } from '../main.ts'

export interface WorkScene extends Harness {
  /** Puts so many objects of sizes that differ, and keeps what they hold in mind. */
  fill(prefix: string, count: number, sizes?: readonly number[]): Promise<void>
  remember(record: ObjectRecord, bytes: Uint8Array): void
  /** Takes nodes off the net, and their leases with them; all others are there. */
  setDown(...nodes: string[]): void
  /** The map becomes another, with the next epoch. */
  change(edit: (map: ClusterMap) => void): void
  /** Gives the slots of a node to another. `source`: their shards are still to be had there. */
  move(from: string, to: string, options: { readonly source: boolean }): void
  start(options?: {
    readonly name?: string
    readonly bytesPerS?: number
    readonly deepPassMs?: number
    readonly log?: Log
  }): Promise<RunningWorker>
  /** Lets time pass until that holds. @throws {Error} when it does not within `limitMs` */
  until(what: string, holds: () => boolean, limitMs?: number): Promise<void>
  /** Some slot moves. */
  moving(): boolean
  /** In words, what is not as it should be: shards that are missing or too many, and records that name relocations. */
  flaws(): string[]
  /** Every object reads as it was put, every shard is once on its slot's node and nowhere else. */
  assertWhole(): Promise<void>
  end(): Promise<void>
}

export function createWorkScene(shape: MapShape & { readonly seed?: number } = {}): WorkScene {
  const harness = createHarness(shape)
  const { metadata, shards, clock } = harness
  const contents = new Map<string, { readonly record: ObjectRecord; readonly bytes: Uint8Array }>()
  const workers: RunningWorker[] = []
  let seed = 0
  metadata.onChange = ({ change }) => {
    if (change.case !== 'finishSlots') return
    for (const slot of change.value.slots) harness.breaches.push(...prematurely(harness, slot))
  }
  const scene: WorkScene = {
    ...harness,
    async fill(prefix, count, sizes = [1, 40_000, 300_000, 1_000_000]) {
      for (let i = 0; i < count; i++) {
        const bytes = bytesOf(sizes[i % sizes.length] ?? 1, ++seed)
        scene.remember(await harness.put(`${prefix}${i}`, bytes), bytes)
      }
    },
    remember(record, bytes) {
      contents.set(record.key, { record, bytes })
    },
    setDown(...nodes) {
      shards.afflict(shards.nodes.keys(), undefined)
      shards.afflict(nodes, DOWN)
      metadata.down.clear()
      for (const node of nodes) metadata.down.add(node)
    },
    change(edit) {
      const next = clone(ClusterMapSchema, metadata.map)
      edit(next)
      next.epoch++
      metadata.map = next
    },
    move(from, to, { source }) {
      scene.change((map) => {
        for (const slot of map.pools.flatMap((pool) => pool.groups).flatMap((group) => group.slots)) {
          if (slot.node !== from) continue
          slot.node = to
          slot.source = source ? from : ''
          slot.filling = true
          slot.since = map.epoch + 1n
        }
      })
    },
    async start({ name = 'worker', bytesPerS = 0, deepPassMs = GROUP_DEEP_PASS_MS, log = silentLog } = {}) {
      const memory = { writeMemoryBytes: 32 * 1024 * 1024, readMemoryBytes: 16 * 1024 * 1024 }
      const store = { computeWorkers: 0, ...memory }
      const random = seededRandom(100 + workers.length)
      const worker = await startWorker(
        { name, repairBytesPerS: bytesPerS, garbageGraceMs: 10_000, deepPassMs, store },
        { metadata, shards, clock, random, log },
      )
      workers.push(worker)
      return worker
    },
    async until(what, holds, limitMs = 600_000) {
      const endMs = clock.monotonicMs() + limitMs
      while (!holds()) {
        if (clock.monotonicMs() > endMs) {
          assert.fail(`still not so after ${limitMs} ms: ${what}; ${scene.flaws().slice(0, 5).join('; ')}`)
        }
        await clock.pass(Math.max(500, limitMs / 1200))
      }
    },
    moving: () =>
      metadata.map.pools.some((pool) =>
        pool.groups.some((group) => group.slots.some(({ filling }) => filling)),
      ),
    flaws: () => flaws(harness),
    async assertWhole() {
      assert.deepEqual(scene.flaws(), [])
      for (const [key, { bytes }] of contents) {
        const record = metadata.objects.get(`bucket/${key}`)
        if (record === undefined) continue
        const got = await harness.read(record)
        assert.ok(got.equals(bytes), `${key} reads as it was put`)
      }
      assert.deepEqual(harness.breaches, [])
    },
    async end() {
      for (const worker of workers) await clock.drive(worker.close())
      await harness.assertIdle()
      await clock.drive(harness.store.close())
    },
  }
  return scene
}

/** What a move that is said to be at its end has not brought to its node, in words. */
function prematurely({ metadata, shards }: Harness, { group, shard, node }: FinishedSlot): string[] {
  return [...metadata.objects.values()].flatMap(({ blob }) => {
    if (blob?.group !== group) return []
    const stripes = stripeCount(parseCode(blob.code), Number(blob.size))
    return Array.from({ length: stripes }, (_, stripe) => ({ group, blob: blob.id, stripe, shard }))
      .filter((address) => relocatedTo(blob.relocations, shard, address.stripe) === undefined)
      .filter((address) => !shards.node(node).has(address))
      .map(({ stripe }) => `a move ended though ${node} lacks ${group}/${blob.id}/${stripe}/${shard}`)
  })
}

function flaws({ metadata, shards }: Harness): string[] {
  const found: string[] = []
  const expected = new Map<string, string>()
  for (const { blob, key } of metadata.objects.values()) {
    if (blob === undefined) continue
    if (blob.relocations.length > 0) found.push(`${key} names relocations`)
    const group = metadata.map.pools.flatMap((pool) => pool.groups).find(({ id }) => id === blob.group)
    const code = parseCode(blob.code)
    for (let stripe = 0; stripe < stripeCount(code, Number(blob.size)); stripe++) {
      for (let shard = 0; shard < code.total; shard++) {
        expected.set(`${blob.group}/${blob.id}/${stripe}/${shard}`, group?.slots[shard]?.node ?? '?')
      }
    }
  }
  for (const [at, node] of expected) {
    if (!shards.node(node).shards.has(at)) found.push(`${at} is missing on ${node}`)
  }
  for (const { id, shards: kept, damagedShards } of shards.nodes.values()) {
    if (damagedShards > 0) found.push(`${id} has ${damagedShards} damaged`)
    for (const at of kept.keys()) if (expected.get(at) !== id) found.push(`${at} is too many on ${id}`)
  }
  return found
}
