/** The copy of the metadata on storage nodes: what is shipped, what is left of it, and what comes back. */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { journalTailSpace, objectKey, restoredKey, restoringKey } from '../../core/keyspace/keys.ts'
import {
  JOURNAL_COPIES,
  JOURNAL_PUT_TIMEOUT_MS,
  JOURNAL_REBASE_MS,
  JOURNAL_RESUME_MS_MAX,
  JOURNAL_SHIP_MS,
  JOURNAL_WAITING_BYTES_MAX,
} from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import type { EngineBatch } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { type JournalKind, readJournalBlob } from '../../metadata/journal/blob-id.ts'
import type { JournalNode } from '../../metadata/journal/copies.ts'
import { Holdings } from '../../metadata/journal/holdings.ts'
import { Journal } from '../../metadata/journal/journal.ts'
import { findRecoveryPoint, NothingToRecoverError, recoverInto } from '../../metadata/journal/recover.ts'
import { forgetPosition } from '../../metadata/journal/tail.ts'
import { ShardError, type ShardService } from '../../proto/shard-transport.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { StorageNode } from '../../storage-node/node.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { until } from '../contract/metadata-requests.ts'
import { world } from '../contract/metadata-service.ts'
import { open } from '../contract/small-node.ts'
import { allEntries } from './backups.ts'
import { engineWith } from './engine-with.ts'

type Fault = 'down' | 'hangs' | undefined

/** Storage nodes in memory, and what is wrong with them. */
class Nodes {
  readonly services = new Map<string, StorageNode>()
  readonly faults = new Map<string, Fault>()
  readonly leaving = new Set<string>()
  /** Puts that still succeed, all nodes together. */
  putsLeft = Number.POSITIVE_INFINITY
  /** Kind of blob that no node takes. */
  refused: JournalKind | undefined
  onRefused: () => void = () => undefined

  async add(zone: string, id: string): Promise<void> {
    const more = { nodeId: id, zone, segmentBytes: 16 * 1024 * 1024, checkpointBytes: 1024 * 1024 }
    this.services.set(id, (await open(new MemoryDisk(), new MemoryIndex(), more)).node)
  }

  /** Three zones of two. */
  static async six(): Promise<Nodes> {
    const nodes = new Nodes()
    for (const zone of ['a', 'b', 'c']) for (const n of [1, 2]) await nodes.add(zone, `${zone}${n}`)
    return nodes
  }

  list(): JournalNode[] {
    return [...this.services.keys()].map((id) => {
      const leaving = this.leaving.has(id)
      return { id, zone: id.slice(0, 1), usable: !leaving && this.faults.get(id) !== 'down', leaving }
    })
  }

  /** Storage nodes as everybody reaches them, or a process while it lives. */
  shardsFor(life = { dead: false }) {
    return createInProcessShardTransport((id) => this.#faulty(id, life))
  }

  /** Blobs by kind, with the nodes that hold each. */
  async blobs(): Promise<{ blob: string; kind: string; node: string }[]> {
    const found = []
    for (const [node, service] of this.services) {
      const { shards } = await service.list({ group: JOURNAL_GROUP, limit: 1000 })
      for (const { address } of shards) {
        found.push({ blob: address.blob, kind: readJournalBlob(address.blob)?.kind ?? '', node })
      }
    }
    return found
  }

  #faulty(id: string, life: { readonly dead: boolean }): ShardService | undefined {
    const service = this.services.get(id)
    if (service === undefined) return undefined
    const guard = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => {
      return async (...args: A): Promise<T> => {
        const fault = this.faults.get(id)
        if (fault === 'down' || life.dead) throw new ShardError('unavailable', `${id} is down`)
        if (fault === 'hangs') return await Promise.withResolvers<never>().promise
        return await call(...args)
      }
    }
    return {
      put: guard(async (request, signal) => {
        if (this.putsLeft-- <= 0) throw new ShardError('unavailable', 'cut off')
        if (readJournalBlob(request.address.blob)?.kind === this.refused) {
          this.onRefused()
          throw new ShardError('unavailable', 'refused')
        }
        await service.put(request, signal)
      }),
      get: guard((request) => service.get(request)),
      deleteBlob: guard((group, blob) => service.deleteBlob(group, blob)),
      deleteShards: guard((request) => service.deleteShards(request)),
      list: guard((request) => service.list(request)),
      describe: guard((addresses) => service.describe(addresses)),
      damaged: guard((request) => service.damaged(request)),
      status: guard(() => service.status()),
    }
  }
}

/** A journaled engine in memory with time that is told to pass. */
class Scene {
  readonly clock = new ManualClock()
  readonly engine = new MemoryEngine()
  readonly nodes: Nodes
  #journal: Journal | undefined
  /** The content after each commit, from the empty one on. */
  readonly states: string[] = ['']
  #count = 0
  /** Of the process that runs now: what it still sends when it is dead arrives nowhere. */
  #life = { dead: false }

  private constructor(nodes: Nodes) {
    this.nodes = nodes
  }

  static async on(nodes: Nodes): Promise<Scene> {
    const scene = new Scene(nodes)
    await scene.start()
    return scene
  }

  get journal(): Journal {
    return this.#journal ?? assert.fail()
  }

  /** A process that finds the engine as it is. */
  async start(): Promise<void> {
    const { clock, engine, nodes } = this
    const life = { dead: false }
    this.#life = life
    const own = engineWith(engine, {
      async commit(batch) {
        if (life.dead) throw new Error('the process is dead')
        await engine.commit(batch)
      },
    })
    const { random, log } = world
    this.#journal = await Journal.open(own, { clusterId: 'c', program: 'test', clock, random, log })
    this.#journal.start({ shards: nodes.shardsFor(life), nodes: () => nodes.list() })
  }

  /** It ends, and another one starts. */
  async restart(): Promise<void> {
    await this.journal.close()
    await this.start()
  }

  /** As by SIGKILL, and another one starts. */
  async crash(): Promise<void> {
    this.#life.dead = true
    await this.start()
  }

  async commit(puts: Record<string, Uint8Array | string>, deletes: readonly string[] = []): Promise<void> {
    const batch: EngineBatch = {
      fence: { key: Uint8Array.of(0xee), token: undefined },
      puts: Object.entries(puts).map(([key, value]) => {
        return { key: objectKey('b', key), value: typeof value === 'string' ? Buffer.from(value) : value }
      }),
      deletes: deletes.map((key) => objectKey('b', key)),
    }
    await this.journal.engine.commit(batch)
    this.states.push(await contentOf(this.engine))
  }

  /** A commit that overwrites, adds and deletes. */
  async write(): Promise<void> {
    const n = this.#count++
    await this.commit({ [`k${n % 5}`]: `${n}`, [`new${n}`]: 'x' }, n > 2 ? [`new${n - 2}`] : [])
  }

  /** All that was committed is on nodes. */
  get shipped(): boolean {
    const { behindMs, waitingBytes } = this.journal.state()
    return behindMs === 0n && waitingBytes === 0n
  }

  /** Lets time pass until all is shipped. */
  async settle(): Promise<void> {
    await this.pass(() => this.shipped && this.journal.state().baseAtMs > 0n)
  }

  async pass(done: () => boolean): Promise<void> {
    await until(async () => {
      if (done()) return true
      this.clock.advance(JOURNAL_SHIP_MS / 4)
      // What runs in other threads is waited for in real time.
      await delay(1)
      return false
    })
  }

  async recover(nodes: Nodes = this.nodes) {
    const holdings = await Holdings.of(nodes.shardsFor(), [...nodes.services.keys()], () => undefined)
    const point = await findRecoveryPoint(holdings)
    const engine = new MemoryEngine()
    const recovered = await recoverInto(engine, { holdings, point, nowMs: 5, random: world.random })
    assert.equal(await engine.get(restoringKey), undefined)
    assert.notEqual(await engine.get(restoredKey), undefined)
    return { ...recovered, damaged: point.damaged, content: await contentOf(engine) }
  }
}

async function contentOf(engine: MemoryEngine): Promise<string> {
  const entries = await allEntries(engine, 0x20)
  return entries.map(({ key, value }) => `${Buffer.from(key).toString('latin1')}=${short(value)}`).join()
}

function short(value: Uint8Array): string {
  const bytes = Buffer.from(value)
  return bytes.length < 20 ? bytes.toString() : createHash('sha256').update(bytes).digest('hex')
}

test('each second the commits since are in three zones, and all of them come back', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  for (let n = 0; n < 10; n++) await scene.write()
  assert.ok(Number(scene.journal.state().waitingBytes) > 0)
  await scene.settle()
  await scene.write()
  await scene.settle()
  const { content, segments } = await scene.recover()
  assert.equal(content, scene.states.at(-1))
  // The first stands for the base.
  assert.equal(segments, 3)
  const byBlob = Map.groupBy(await scene.nodes.blobs(), ({ blob }) => blob)
  for (const copies of byBlob.values()) {
    assert.equal(new Set(copies.map(({ node }) => node.slice(0, 1))).size, JOURNAL_COPIES)
  }
  // What the nodes count as blobs is what the ledger goes by.
  for (const node of scene.nodes.services.values()) assert.deepEqual(node.inventory().counts, [])
  await scene.journal.close()
})

test('whenever it ends, with whatever was put by then, what comes back is the state after some commit, not before the last that was shipped', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('write', 'write', 'ship', 'rebase', 'restart', 'crash'), {
        minLength: 5,
        maxLength: 25,
      }),
      fc.integer({ min: 0, max: 12 }),
      async (steps, putsLeft) => {
        const scene = await Scene.on(await Nodes.six())
        await scene.write()
        await scene.settle()
        let shipped = scene.states.length - 1
        for (const step of steps) {
          if (step === 'write') await scene.write()
          else if (step === 'ship') {
            await scene.settle()
            shipped = scene.states.length - 1
          } else if (step === 'crash') await scene.crash()
          else if (step === 'restart') await scene.restart()
          else {
            await scene.settle()
            shipped = scene.states.length - 1
            // A base begins, and commits go on beside it.
            scene.clock.advance(JOURNAL_REBASE_MS + 1)
            await scene.write()
          }
        }
        // The end comes in the middle of whatever is put.
        scene.nodes.putsLeft = putsLeft
        await scene.write()
        const before = Number(scene.journal.state().shippedBytes)
        await scene.pass(() => scene.nodes.putsLeft < 0 || scene.shipped)
        assert.ok(Number(scene.journal.state().shippedBytes) >= before)
        const { content } = await scene.recover()
        const at = scene.states.lastIndexOf(content)
        assert.ok(at >= shipped, `state ${at} of ${scene.states.length - 1}, ${shipped} were shipped`)
        scene.nodes.putsLeft = Number.POSITIVE_INFINITY
        await scene.journal.close()
      },
    ),
    { numRuns: 12 },
  )
})

test('a base that was never finished is not used: the one before and the segments of both are', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const noise = world.random.bytes(3_000_000)
  await scene.commit({ noise })
  await scene.settle()
  scene.clock.advance(JOURNAL_REBASE_MS + 1)
  // Segments are put meanwhile; of the base, all but its end.
  const { baseAtMs } = scene.journal.state()
  scene.nodes.putsLeft = 6
  await scene.pass(() => scene.nodes.putsLeft < 0)
  scene.nodes.putsLeft = Number.POSITIVE_INFINITY
  await scene.write()
  await scene.pass(() => scene.shipped)
  if (scene.journal.state().baseAtMs === baseAtMs) {
    assert.equal((await scene.recover()).content, scene.states.at(-1))
  }
  // The next attempt succeeds, and takes what was left of the first away.
  await scene.pass(() => scene.journal.state().baseAtMs > baseAtMs)
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
  const blobs = await scene.nodes.blobs()
  const count = (kind: string) =>
    new Set(blobs.filter((one) => one.kind === kind).map(({ blob }) => blob)).size
  assert.deepEqual([count('base'), count('complete')], [2, 2])
})

test('bases that fail one after another, with no commit in between, leave no gap before what comes then', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  scene.nodes.refused = 'base'
  scene.clock.advance(JOURNAL_REBASE_MS + 1)
  let refusals = 0
  scene.nodes.onRefused = () => refusals++
  await scene.pass(() => refusals > 2 * scene.nodes.services.size)
  await scene.write()
  await scene.pass(() => scene.shipped)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('the two newest bases stay, with the segments since the older', async () => {
  const scene = await Scene.on(await Nodes.six())
  for (let base = 0; base < 4; base++) {
    const { baseAtMs } = scene.journal.state()
    await scene.write()
    await scene.pass(() => scene.journal.state().baseAtMs !== baseAtMs)
    await scene.settle()
    scene.clock.advance(JOURNAL_REBASE_MS + 1)
  }
  await scene.journal.close()
  const kinds = Map.groupBy(await scene.nodes.blobs(), ({ kind }) => kind)
  const generations = (kind: string) =>
    new Set((kinds.get(kind) ?? []).map(({ blob }) => readJournalBlob(blob)?.number)).size
  assert.ok(generations('complete') <= 3 && generations('complete') >= 2)
  assert.ok(generations('segment') <= 3)
})

test('copies on lost and damaged nodes are done without; where none is left of a segment, it ends before it', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const perSegment: number[] = []
  for (let segment = 0; segment < 3; segment++) {
    await scene.write()
    await scene.settle()
    perSegment.push(scene.states.length - 1)
  }
  await scene.journal.close()
  scene.nodes.faults.set('a1', 'down')
  scene.nodes.faults.set('b1', 'down')
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  scene.nodes.faults.clear()
  const second = (await scene.nodes.blobs()).filter(({ blob }) => readJournalBlob(blob)?.sequence === 3)
  for (const { node, blob } of second) await scene.nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  const { content, segments } = await scene.recover()
  assert.equal(segments, 2)
  assert.equal(content, scene.states[perSegment[0] ?? 0])
  // Nothing whole is left.
  for (const { node, blob } of (await scene.nodes.blobs()).filter(({ kind }) => kind === 'base')) {
    await scene.nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  }
  await assert.rejects(scene.recover(), NothingToRecoverError)
})

test('nodes that hang delay no commit, and are gone round; too much that waits is made good by a base', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const [first = ''] = new Set((await scene.nodes.blobs()).map(({ node }) => node))
  scene.nodes.faults.set(first, 'hangs')
  await scene.write()
  scene.clock.advance(JOURNAL_SHIP_MS)
  await scene.write()
  assert.ok(!scene.shipped)
  await scene.pass(() => scene.shipped)
  scene.nodes.faults.clear()

  for (const id of scene.nodes.services.keys()) scene.nodes.faults.set(id, 'down')
  const megabytes = new Uint8Array(4 * 1024 * 1024)
  const { baseAtMs } = scene.journal.state()
  for (let bytes = 0; bytes <= JOURNAL_WAITING_BYTES_MAX; bytes += megabytes.length) {
    await scene.journal.engine.commit({
      fence: { key: Uint8Array.of(0xee), token: undefined },
      puts: [{ key: objectKey('b', 'big'), value: megabytes }],
      deletes: [],
    })
    scene.clock.advance(JOURNAL_PUT_TIMEOUT_MS)
  }
  assert.equal(Number(scene.journal.state().waitingBytes), 0, 'it was let go of')
  assert.ok(!scene.shipped)
  await scene.commit({ big: 'small' })
  scene.nodes.faults.clear()
  await scene.pass(() => scene.shipped)
  assert.ok(scene.journal.state().baseAtMs >= baseAtMs)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('a node that is to go is cleared, and what it held is elsewhere', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const [node = ''] = new Set((await scene.nodes.blobs()).map((one) => one.node))
  scene.nodes.leaving.add(node)
  let left: string[] = [node]
  await until(async () => {
    await scene.pass(() => true)
    scene.clock.advance(JOURNAL_SHIP_MS)
    left = (await scene.nodes.blobs()).filter((one) => one.node === node).map(({ blob }) => blob)
    return left.length === 0
  })
  await scene.write()
  await scene.settle()
  scene.nodes.services.delete(node)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

/** Whole bases that nodes have. */
async function basesOf({ nodes }: Scene): Promise<number> {
  const whole = (await nodes.blobs()).filter(({ kind }) => kind === 'complete')
  return new Set(whole.map(({ blob }) => blob)).size
}

for (const how of ['restart', 'crash'] as const) {
  test(`after a ${how} the journal goes on where it ended, without a base: nothing that came before or after is lost with the disk`, async () => {
    const scene = await Scene.on(await Nodes.six())
    await scene.write()
    await scene.settle()
    await scene.write()
    await scene.settle()
    for (let life = 0; life < 4; life++) {
      // Not shipped when it ends; when it crashes, not at all.
      for (let n = 0; n <= life; n++) await scene.write()
      await scene[how]()
      scene.nodes.refused = 'base'
      if (life !== 2) await scene.write()
      await scene.settle()
      assert.equal((await scene.recover()).content, scene.states.at(-1))
    }
    assert.equal(await basesOf(scene), 1)
    // A base is due some time in any case.
    scene.nodes.refused = undefined
    scene.clock.advance(JOURNAL_REBASE_MS + 1)
    const { baseAtMs } = scene.journal.state()
    await scene.pass(() => scene.journal.state().baseAtMs !== baseAtMs)
    await scene.write()
    await scene.crash()
    await scene.settle()
    assert.equal((await scene.recover()).content, scene.states.at(-1))
    assert.equal(await basesOf(scene), 2)
    await scene.journal.close()
  })
}

test('a crash while a base is written, or when it has just become whole: what comes then is joined to what counts', async () => {
  for (const putsLeft of [1, 3, 4, 6, 7, 9, 10, 12, 13, 15]) {
    const scene = await Scene.on(await Nodes.six())
    await scene.write()
    await scene.settle()
    await scene.write()
    await scene.settle()
    scene.clock.advance(JOURNAL_REBASE_MS + 1)
    await scene.write()
    scene.nodes.putsLeft = putsLeft
    const { baseAtMs } = scene.journal.state()
    await scene.pass(
      () => scene.nodes.putsLeft < 0 || (scene.shipped && scene.journal.state().baseAtMs !== baseAtMs),
    )
    await scene.write()
    scene.nodes.putsLeft = Number.POSITIVE_INFINITY
    await scene.crash()
    scene.nodes.refused = 'base'
    await scene.write()
    await scene.settle()
    assert.equal((await scene.recover()).content, scene.states.at(-1), `${putsLeft}`)
    await scene.journal.close()
  }
})

test('nodes that come up after the start are waited for; where they lack what the journal goes on from, there is a new base', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  const ids = [...scene.nodes.services.keys()]
  for (const id of ids) scene.nodes.faults.set(id, 'down')
  await scene.crash()
  await scene.write()
  scene.clock.advance(JOURNAL_RESUME_MS_MAX)
  // It has none of the copies.
  const holding = new Set((await scene.nodes.blobs()).map(({ node }) => node))
  const empty = ids.find((id) => !holding.has(id)) ?? assert.fail()
  scene.nodes.faults.delete(empty)
  await scene.pass(() => scene.journal.state().waitingBytes === 0n)
  assert.ok(!scene.shipped, 'what it goes on from was not found')
  assert.equal(scene.journal.state().baseAtMs, 0n)
  scene.nodes.faults.clear()
  await scene.settle()
  assert.equal(await basesOf(scene), 1)
  assert.equal((await scene.recover()).content, scene.states.at(-1))

  const segments = (await scene.nodes.blobs()).filter(({ kind }) => kind === 'segment')
  for (const { node, blob } of segments) await scene.nodes.services.get(node)?.deleteBlob(JOURNAL_GROUP, blob)
  await scene.write()
  await scene.crash()
  await scene.settle()
  assert.equal(await basesOf(scene), 2)
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('what was committed without a journal, or is not noted, is made good by a new base', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  await scene.journal.close()
  await forgetPosition(scene.engine)
  await scene.engine.commit({
    fence: { key: Uint8Array.of(0xee), token: undefined },
    puts: [{ key: objectKey('b', 'unseen'), value: Uint8Array.of(1) }],
    deletes: [],
  })
  await scene.start()
  await scene.write()
  await scene.settle()
  assert.equal(await basesOf(scene), 2)
  assert.equal((await scene.recover()).content, scene.states.at(-1))

  // As many operations as fit: there is no room for a note.
  const { operations } = scene.journal.engine.limits
  const many = Object.fromEntries(Array.from({ length: operations }, (_, index) => [`many${index}`, 'x']))
  await scene.commit(many)
  await scene.crash()
  await scene.write()
  const { baseAtMs } = scene.journal.state()
  assert.equal(baseAtMs, 0n)
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  // Once it is on nodes, the journal goes on from there.
  await scene.commit(many)
  await scene.settle()
  await scene.crash()
  scene.nodes.refused = 'base'
  await scene.write()
  await scene.settle()
  assert.equal((await scene.recover()).content, scene.states.at(-1))
  await scene.journal.close()
})

test('what the engine notes of the journal does not pile up', async () => {
  const scene = await Scene.on(await Nodes.six())
  await scene.write()
  await scene.settle()
  for (let n = 0; n < 1200; n++) await scene.write()
  await scene.settle()
  const notes = async () => (await scene.engine.scan({ ...journalTailSpace(), limit: 1024 })).length
  await scene.pass(() => true)
  assert.equal(await notes(), 0)
  for (const id of scene.nodes.services.keys()) scene.nodes.faults.set(id, 'down')
  for (let n = 0; n < 10; n++) await scene.write()
  assert.equal(await notes(), 10)
  await scene.crash()
  scene.nodes.faults.clear()
  await scene.settle()
  await scene.pass(() => true)
  assert.equal(await notes(), 0)
  await scene.journal.close()
})
