import assert from 'node:assert/strict'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError, type MetadataReply } from '../../../proto/metadata-api.ts'
import { UnreachedError } from '../../../runtime/metadata-client/failure.ts'
import { versionIdOf } from '../../../core/records/version-id.ts'
import type { Chance } from '../../chaos/seeded.ts'
import { BUCKET, OWNER } from '../../contract/metadata-requests.ts'
import { checkKey } from '../../linearizability/check.ts'
import { byKey, type Action, type Operation } from '../../linearizability/history.ts'
import { type MadeVersion, versionOrderFaults } from '../../linearizability/version-order.ts'
import { Requests } from './requests.ts'
import type { World } from './world.ts'

export const VERSIONED = 'versioned'

/** In the order of listings. */
const KEYS = Array.from({ length: 10 }, (_, index) => `k${index}`)

/** What came of a request that failed: whether it may have been done. */
function mayBeDone(error: unknown): boolean {
  if (error instanceof UnreachedError) return error.sent
  if (error instanceof MetadataError) return error.code === FailureCode.UNAVAILABLE
  throw error
}

/** Clients that write, read and list two buckets, and work off outboxes; and whether all that they were told goes together. */
export class Load {
  readonly operations: Operation[] = []
  readonly failures: unknown[] = []
  readonly requests: Requests
  readonly #world: World
  readonly #chance: Chance
  readonly #clients: readonly MetadataApi[]
  readonly #versions = new Map<string, MadeVersion[]>()
  readonly #unknownVersions = new Map<string, number>()
  /** Blobs of writes that were acknowledged. */
  readonly #blobs = new Set<string>()
  /** Blobs that tasks of outboxes named, which are gone. */
  readonly #collected = new Set<string>()
  answered = 0
  slowestMs = 0
  #stopped = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(world: World, chance: Chance, clients = 2) {
    this.#world = world
    this.#chance = chance
    this.requests = new Requests(world.clock)
    this.#clients = Array.from({ length: clients }, () => world.routed())
  }

  start(workers: number, pauseMs: number): void {
    const loops = Array.from({ length: workers }, (_, worker) =>
      this.#loop(pauseMs, () => this.#one(`w${worker}`, worker)),
    )
    loops.push(this.#loop(300, () => this.#collect(0.5)))
    this.#running = Promise.all(loops)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  /** Reads everything at the end, when all is well, and holds it against what was told. */
  async check(): Promise<void> {
    const [api] = this.#clients
    assert.ok(api !== undefined)
    for (const key of KEYS) await this.#read(api, 'last', key)
    await this.#list(api, 'last', 1000)
    for (const [key, operations] of byKey(this.operations)) {
      const verdict = checkKey(operations)
      if (verdict.linearizable === true) continue
      const near = operations.filter(({ invoked, responded }) => {
        return invoked <= verdict.at.responded && responded >= verdict.at.invoked - 3000
      })
      assert.fail(`${key} is not linearizable at ${show(verdict.at)}:\n${near.map(show).join('\n')}`)
    }
    await this.#checkVersions(api)
    await this.#checkBlobs(api)
  }

  async #loop(pauseMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await this.#world.clock.sleep(pauseMs * (0.5 + this.#chance.next()))
      await work()
    }
  }

  async #one(client: string, worker: number): Promise<void> {
    const api = this.#chance.pick(this.#clients)
    const key = this.#chance.pick(KEYS)
    const what = this.#chance.next()
    const began = this.#world.clock.monotonicMs()
    if (what < 0.3) await this.#put(api, client, key, what < 0.08)
    else if (what < 0.4) await this.#remove(api, client, key)
    else if (what < 0.75) await this.#read(api, client, key)
    else if (what < 0.85) await this.#list(api, client, this.#chance.pick([1, 3, 1000]))
    else await this.#version(api, worker)
    this.slowestMs = Math.max(this.slowestMs, this.#world.clock.monotonicMs() - began)
  }

  /** @param once only where there is none */
  async #put(api: MetadataApi, client: string, key: string, once: boolean): Promise<void> {
    const etag = `${key}-${this.requests.newId().slice(-8)}`
    const blob = this.requests.newId()
    await this.#record(
      client,
      key,
      { kind: 'write', value: etag, ...(once && { when: { is: 'value', value: undefined } }) },
      async () => {
        try {
          const more = { blob: { id: blob, size: 5n, code: 'rs-4-2', group: 65_536 } } as object
          await this.requests.put(api, key, etag, more, once ? { ifNoneMatchAny: true } : {})
          this.#blobs.add(blob)
          return undefined
        } catch (error) {
          if (!(error instanceof MetadataError) || error.code !== FailureCode.PRECONDITION_FAILED) throw error
          return { kind: 'observe', seen: { is: 'present' } }
        }
      },
    )
  }

  async #remove(api: MetadataApi, client: string, key: string): Promise<void> {
    await this.#record(client, key, { kind: 'write', value: undefined }, async () => {
      await api.call('deleteObject', {
        bucket: BUCKET,
        key,
        markerVersion: this.requests.newId(),
        owner: OWNER,
      })
      return undefined
    })
  }

  async #read(api: MetadataApi, client: string, key: string): Promise<void> {
    await this.#record(client, key, undefined, async () => {
      const value = await this.requests.get(api, key)
      return { kind: 'observe', seen: { is: 'value', value } }
    })
  }

  /** All keys, by pages: what it shows of a key was so at some moment while the page that shows it was made. */
  async #list(api: MetadataApi, client: string, limit: number): Promise<void> {
    let after = ''
    for (;;) {
      const invoked = this.#world.clock.monotonicMs()
      try {
        const page = await api.call('listObjects', { bucket: BUCKET, after, limit })
        const responded = this.#world.clock.monotonicMs()
        const keys = page.objects.map(({ key }) => key)
        assert.deepEqual(keys, keys.toSorted(), 'a listing is in order')
        assert.equal(new Set(keys).size, keys.length, 'a listing has each key once')
        assert.ok(keys.every((key) => key > after))
        const shown = new Map(page.objects.map(({ key, etag }) => [key, etag]))
        const end = page.truncated ? page.nextAfter : undefined
        for (const key of KEYS) {
          if (key <= after || (end !== undefined && key > end)) continue
          const action: Action = { kind: 'observe', seen: { is: 'value', value: shown.get(key) } }
          this.operations.push({ key, client: `${client} lists`, invoked, responded, action })
        }
        this.answered++
        if (end === undefined) return
        after = end
      } catch (error) {
        this.#failed(error)
        return
      }
    }
  }

  /** Each worker has a key of its own, so that most writes of a key do not overlap. */
  async #version(api: MetadataApi, worker: number): Promise<void> {
    const key = `k${worker}`
    const invoked = this.#world.clock.monotonicMs()
    const blob = this.requests.newId()
    try {
      const more = {
        bucket: VERSIONED,
        blob: { id: blob, size: 5n, code: 'rs-4-2', group: 65_536 },
      } as object
      const object = await this.requests.put(api, key, undefined, more)
      assert.ok(object?.versioned === true, 'the bucket has versions')
      this.#blobs.add(blob)
      const made = { versionId: versionIdOf(object), invoked, responded: this.#world.clock.monotonicMs() }
      this.#versions.set(key, [...(this.#versions.get(key) ?? []), made])
      this.answered++
    } catch (error) {
      if (mayBeDone(error)) this.#unknownVersions.set(key, (this.#unknownVersions.get(key) ?? 0) + 1)
      this.#failed(error)
    }
  }

  async #record(
    client: string,
    key: string,
    write: Action | undefined,
    send: () => Promise<Action | undefined>,
  ): Promise<void> {
    const invoked = this.#world.clock.monotonicMs()
    try {
      const action = (await send()) ?? write
      assert.ok(action !== undefined)
      const responded = this.#world.clock.monotonicMs()
      this.operations.push({ key, client, invoked, responded, action })
      this.answered++
    } catch (error) {
      const done = mayBeDone(error)
      if (done && write !== undefined) {
        this.operations.push({ key, client, invoked, responded: Infinity, action: write })
      }
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    mayBeDone(error)
    this.failures.push(error)
  }

  /** Works off a part of what lies in the outboxes. */
  async #collect(share: number): Promise<void> {
    const [api] = this.#clients
    assert.ok(api !== undefined)
    try {
      for (const outbox of await outboxesOf(api)) {
        try {
          await this.#collectFrom(api, outbox, share)
        } catch (error) {
          // Once it is empty, that of a partition which was merged is taken off the map, and is nobody's to be asked.
          if ((await outboxesOf(api)).includes(outbox)) throw error
        }
      }
    } catch (error) {
      this.#failed(error)
    }
  }

  async #collectFrom(api: MetadataApi, outbox: bigint, share: number): Promise<void> {
    const { records } = await api.call('readOutbox', { outbox, limit: 50 })
    const some = records.filter(() => this.#chance.next() < share)
    if (some.length === 0) return
    for (const { task } of some) {
      if (task.case === 'garbage') for (const { id } of task.value.blobs) this.#collected.add(id)
    }
    await api.call('acknowledgeOutbox', { outbox, sequences: some.map(({ sequence }) => sequence) })
  }

  async #checkVersions(api: MetadataApi): Promise<void> {
    const versions = await this.#allVersions(api)
    const keys = versions.map(({ object }) => object?.key ?? '')
    assert.deepEqual(keys, keys.toSorted())
    for (const key of new Set([...this.#versions.keys(), ...keys])) {
      const listed = versions.filter(({ object }) => object?.key === key).map(({ versionId }) => versionId)
      const made = this.#versions.get(key) ?? []
      const unknown = this.#unknownVersions.get(key) ?? 0
      assert.deepEqual(versionOrderFaults(made, listed, unknown), [], key)
    }
  }

  async #allVersions(api: MetadataApi): Promise<MetadataReply<'listVersions'>['versions']> {
    const versions: MetadataReply<'listVersions'>['versions'] = []
    let markers = { keyMarker: '', versionIdMarker: '' }
    for (;;) {
      const page = await api.call('listVersions', { bucket: VERSIONED, limit: 37, ...markers })
      versions.push(...page.versions)
      if (!page.truncated) return versions
      markers = { keyMarker: page.nextKeyMarker, versionIdMarker: page.nextVersionIdMarker }
    }
  }

  /** The blob of each acknowledged write is named by an object or version, or by a task; never by both. */
  async #checkBlobs(api: MetadataApi): Promise<void> {
    const live = new Set<string>()
    for (const key of KEYS) {
      const object = await api.call('getObject', { bucket: BUCKET, key }).catch(() => undefined)
      if (object?.object?.blob !== undefined) live.add(object.object.blob.id)
    }
    const versions = await this.#allVersions(api)
    for (const { object, versionId } of versions) {
      const key = object?.key ?? ''
      const found = await api.call('getObject', { bucket: VERSIONED, key, versionId })
      if (found.object?.blob !== undefined) live.add(found.object.blob.id)
    }
    const garbage = new Set(this.#collected)
    const { map } = await api.call('getPartitions', {})
    let waiting = 0
    for (const outbox of map?.partitions.flatMap(({ outboxes }) => outboxes) ?? []) {
      const { records } = await api.call('readOutbox', { outbox, limit: 1000 })
      waiting += records.length
      for (const { task } of records) {
        if (task.case === 'garbage') for (const { id } of task.value.blobs) garbage.add(id)
      }
    }
    for (const blob of live) assert.ok(!garbage.has(blob), `${blob} is garbage, and an object has it`)
    for (const blob of this.#blobs) {
      assert.ok(live.has(blob) || garbage.has(blob), `${blob} is neither an object's nor garbage`)
    }
    // Reports of the others have come by now.
    const { outboxBacklog } = await api.call('getCluster', {})
    assert.equal(Number(outboxBacklog), waiting, 'the backlog is what waits')
  }
}

function show({ client, invoked, responded, action }: Operation): string {
  return `${client} ${invoked.toFixed(1)}–${responded.toFixed(1)} ${JSON.stringify(action)}`
}

async function outboxesOf(api: MetadataApi): Promise<bigint[]> {
  const { map } = await api.call('getPartitions', {})
  return map?.partitions.flatMap(({ outboxes }) => outboxes) ?? []
}
