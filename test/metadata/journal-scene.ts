import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { objectKey, restoredKey, restoringKey } from '../../core/keyspace/keys.ts'
import { JOURNAL_SHIP_MS } from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import type { EngineBatch } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { type JournalKind, readJournalBlob } from '../../metadata/journal/blob-id.ts'
import type { JournalNode } from '../../metadata/journal/copies.ts'
import { Holdings } from '../../metadata/journal/holdings.ts'
import { Journal } from '../../metadata/journal/journal.ts'
import { findRecoveryPoint, recoverInto } from '../../metadata/journal/recover.ts'
import { ShardError, type ShardService } from '../../proto/shard-transport.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { createInProcessShardTransport } from '../../runtime/shard-transport/in-process.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { StorageNode } from '../../storage-node/node.ts'
import { segmentPath } from '../../storage-node/segment/files.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { until } from '../contract/metadata-requests.ts'
import { world } from '../contract/metadata-service.ts'
import { open } from '../contract/small-node.ts'
import { allEntries } from './backups.ts'
import { engineWith } from './engine-with.ts'

/** What tests of the journal share. */

type Fault = 'down' | 'hangs' | undefined

/** Storage nodes in memory, and what is wrong with them. */
export class Nodes {
  readonly services = new Map<string, StorageNode>()
  readonly #disks = new Map<string, MemoryDisk>()
  readonly faults = new Map<string, Fault>()
  readonly leaving = new Set<string>()
  /** Puts that still succeed, all nodes together. */
  putsLeft = Number.POSITIVE_INFINITY
  /** Kind of blob that no node takes. */
  refused: JournalKind | undefined
  onRefused: () => void = () => undefined

  async add(zone: string, id: string): Promise<void> {
    const more = { nodeId: id, zone, segmentBytes: 16 * 1024 * 1024, checkpointBytes: 1024 * 1024 }
    const disk = new MemoryDisk()
    this.#disks.set(id, disk)
    this.services.set(id, (await open(disk, new MemoryIndex(), more)).node)
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
      const usable = !leaving && this.faults.get(id) !== 'down'
      return { id, zone: id.slice(0, 1), stays: !leaving, usable, leaving }
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

  /** Flips a bit of the first piece that a node was given, which the node finds when it is read. */
  damageFirst(id: string): void {
    this.#disks.get(id)?.corrupt(segmentPath(1), 512 + 500)
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
export class Scene {
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

/** Whole bases that nodes have. */
export async function basesOf({ nodes }: Scene): Promise<number> {
  const whole = (await nodes.blobs()).filter(({ kind }) => kind === 'complete')
  return new Set(whole.map(({ blob }) => blob)).size
}
