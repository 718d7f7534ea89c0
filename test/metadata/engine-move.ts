import assert from 'node:assert/strict'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import { openEngineId } from '../../metadata/coordination/engine-id.ts'
import type { Engine, EngineEntry } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { recordsOf } from '../../metadata/host/engine-records.ts'
import { type RunningMetadata, startOnAll } from '../../metadata/main.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import {
  BUCKET,
  createBucket,
  get,
  put,
  putPart,
  remove,
  setVersioning,
  startUpload,
} from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

/** What tests of moves between engines share. */

/** An engine that outlives the services on it, as a disk does. */
export class KeptEngine extends MemoryEngine {
  override async close(): Promise<void> {}
}

/** Pauses before another attempt are short. */
const hasty: Clock = {
  ...world.clock,
  nowMs: () => world.clock.nowMs(),
  monotonicMs: () => world.clock.monotonicMs(),
  after: (ms, run) => world.clock.after(ms, run),
  sleep: (ms, signal) => world.clock.sleep(Math.min(ms, 2), signal),
}

/** One process that has all engines, the first being the coordination engine. */
export function startWith(engines: readonly Engine[]): Promise<RunningMetadata> {
  const opened = engines.map((engine) => ({ engine, disk: undefined }))
  return startOnAll(opened, metadataConfig(), { ...world, clock: hasty })
}

export function idOf(engine: Engine): Promise<string> {
  return openEngineId(engine, world.random)
}

export async function move(api: MetadataApi, id: number, engine: Engine): Promise<number> {
  const value = { id: BigInt(id), engine: await idOf(engine) }
  const { heldMs } = await api.call('changePartitions', { change: { case: 'move', value } })
  return Number(heldMs)
}

/** Everything in an engine that is some partition's. */
export async function recordsIn(engine: Engine, outboxes = [1, 2, 3, 4]): Promise<EngineEntry[]> {
  const found: EngineEntry[] = []
  for (const { gte, lt, holds } of recordsOf(WHOLE_RANGE, outboxes)) {
    const entries = await engine.scan({ gte, lt, limit: 1024 })
    assert.ok(entries.length < 1024)
    found.push(...entries.filter(({ key }) => holds(key)))
  }
  return found
}

export async function createVersioned(api: MetadataApi): Promise<void> {
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
}

/** Writes as fast as it is answered, and remembers what was. */
export class Writers {
  readonly #api: MetadataApi
  readonly #etags = new Map<string, string | undefined>()
  #running: Promise<unknown> = Promise.resolve()
  #stopped = false
  writes = 0
  /** Keys of which it is not known whether the last write was made. */
  readonly #unknown = new Set<string>()

  constructor(api: MetadataApi) {
    this.#api = api
  }

  get unknown(): number {
    return this.#unknown.size
  }

  /** @param keys of each writer: nobody else writes them */
  start(count: number, keys: number): void {
    this.#running = Promise.all(Array.from({ length: count }, (_, index) => this.#write(index, keys)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async until(writes: number): Promise<void> {
    const goal = this.writes + writes
    while (this.writes < goal) await world.nextTurn()
  }

  /** What was answered last is what is there, and nothing else. */
  async check(api: MetadataApi): Promise<void> {
    for (const [key, etag] of this.#etags) {
      if (!this.#unknown.has(key)) assert.equal((await get(api, key))?.etag, etag, key)
    }
    const wanted = [...this.#etags]
      .filter(([key, etag]) => etag !== undefined && !this.#unknown.has(key))
      .map(([key]) => key)
    const listed: string[] = []
    for (let after = ''; ;) {
      const reply = await api.call('listObjects', { bucket: BUCKET, after, limit: 100 })
      listed.push(...reply.objects.map(({ key }) => key).filter((key) => !this.#unknown.has(key)))
      if (!reply.truncated) break
      after = reply.nextAfter
    }
    assert.deepEqual(listed, wanted.toSorted())
  }

  async #write(writer: number, keys: number): Promise<void> {
    for (let count = 0; !this.#stopped; count++) {
      const key = `${writer}/${count % keys}`
      try {
        await this.#writeOne(writer, count, key)
        this.#unknown.delete(key)
      } catch (error) {
        assert.ok(error instanceof MetadataError && error.code === FailureCode.UNAVAILABLE, String(error))
        this.#unknown.add(key)
      }
      this.writes++
    }
  }

  async #writeOne(writer: number, count: number, key: string): Promise<void> {
    if (count % 7 === 3) {
      await remove(this.#api, key)
      this.#etags.set(key, undefined)
    } else if (count % 11 === 5) {
      const uploadId = await startUpload(this.#api, key)
      await putPart(this.#api, key, uploadId, 1)
      if (count % 2 === 0) await this.#api.call('abortUpload', { bucket: BUCKET, key, uploadId })
    } else {
      const etag = `${writer}-${count}`
      await put(this.#api, key, { etag })
      this.#etags.set(key, etag)
    }
  }
}
