import { RunningCalls } from '../running-calls.ts'
import type { KeyRange } from '../../../core/keyspace/bytes.ts'
import {
  ENGINE_BATCH_BYTES_MAX,
  ENGINE_BATCH_OPERATIONS_MAX,
  ETCD_OPERATION_OVERHEAD_BYTES,
  ETCD_REQUEST_OVERHEAD_BYTES,
} from '../../../core/limits.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Log } from '../../../runtime/ports/log.ts'
import type { Random } from '../../../runtime/ports/random.ts'
import {
  assertWithinLimits,
  type Engine,
  type EngineBatch,
  type EngineEntry,
  type EngineEstimate,
  type EngineLimits,
  type EngineSnapshot,
  type EngineSpace,
  type HeldKey,
  type ScanRequest,
} from '../engine.ts'
import { KeyWatchers } from '../key-watchers.ts'
import { Commits, operationsWithin } from './commits.ts'
import { Holds } from './holds.ts'
import { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import { Reads } from './reads.ts'
import { Signposts } from './signposts.ts'
import { Space } from './space.ts'
import { Upkeep } from './upkeep.ts'
import type { EtcdConfig } from './url.ts'
import { Watches } from './watches.ts'

export interface EtcdWorld {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** An ensemble of etcd members, 3.4 or newer. Made by {@link openEtcdEngine}. */
export class EtcdEngine implements Engine {
  readonly limits: EngineLimits
  readonly #members: Members
  readonly #signposts: Signposts
  readonly #reads: Reads
  readonly #commits: Commits
  readonly #space: Space
  readonly #watches: Watches
  readonly #holds: Holds
  readonly #upkeep: Upkeep
  readonly #watchers = new KeyWatchers()
  /** Calls that have not settled. */
  readonly #calls = new RunningCalls()

  constructor(members: Members, config: EtcdConfig, { clock, random, log }: EtcdWorld) {
    const keys = new EtcdKeys(config.prefix)
    this.#members = members
    this.limits = limitsOf(config, keys)
    this.#signposts = new Signposts(members, keys, clock, log)
    this.#reads = new Reads(members, keys, this.#signposts)
    this.#commits = new Commits(members, keys, random, config.txnOperations)
    this.#space = new Space(members, clock, config.quotaBytes)
    this.#watches = new Watches(members, keys, clock, log)
    this.#holds = new Holds({ members, keys, clock, random, log })
    this.#upkeep = new Upkeep({ members, keys, reads: this.#reads, space: this.#space, clock, random, log })
  }

  /** What is known of the ensemble before the first call. @throws {EtcdError} */
  async begin(): Promise<void> {
    await Promise.all([this.#space.look(), this.#signposts.load()])
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#calls.run(() => this.#reads.get(key))
  }

  async scan(request: ScanRequest): Promise<EngineEntry[]> {
    const [entries = []] = await this.scanTogether([request])
    return entries
  }

  scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    return this.#calls.run(() => this.#reads.scan(requests))
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    this.#calls.assertOpen()
    const stopNear = this.#watchers.add(key, changed)
    const stopFar = this.#watches.add(key, changed)
    return () => {
      stopNear()
      stopFar()
    }
  }

  /** Exact where there are few; bytes are not told, for etcd knows them of the whole ensemble only. */
  estimate(range: KeyRange): Promise<EngineEstimate> {
    return this.#calls.run(async () => {
      const entries = this.#signposts.countOf(range) ?? (await this.#reads.count(range))
      return { entries, bytes: undefined }
    })
  }

  /** Lasts for ETCD_RETAIN_MS at least, and until somebody compacts. */
  openSnapshot(): Promise<EngineSnapshot> {
    return this.#calls.run(async () => {
      const revision = await this.#reads.revision()
      return {
        scan: (request) =>
          this.#calls.run(async () => {
            const [entries = []] = await this.#reads.scan([request], revision)
            return entries
          }),
        close: async () => undefined,
      }
    })
  }

  commit(batch: EngineBatch): Promise<void> {
    return this.#calls.run(async () => {
      assertWithinLimits(batch, this.limits)
      if (batch.puts.length > 0) {
        this.#space.requireMore(
          batch.puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
        )
      }
      await this.#commits.commit(batch)
      this.#signposts.committed(batch)
      this.#watchers.committed(batch)
    })
  }

  space(): Promise<EngineSpace> {
    return this.#calls.run(() => this.#space.look())
  }

  holdKey(key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<HeldKey> {
    return this.#calls.run(() => this.#holds.hold(key, value, ttlMs))
  }

  async close(): Promise<void> {
    await this.#calls.close()
    await Promise.all([
      this.#holds.close(),
      this.#upkeep.close(),
      this.#watches.close(),
      this.#signposts.close(),
      this.#space.close(),
    ])
    this.#members.close()
  }
}

/** Of a batch. */
export function limitsOf({ txnOperations, requestBytes }: EtcdConfig, keys: EtcdKeys): EngineLimits {
  const operations = Math.min(ENGINE_BATCH_OPERATIONS_MAX, operationsWithin(txnOperations))
  const frames = operations * (keys.overhead + ETCD_OPERATION_OVERHEAD_BYTES) + ETCD_REQUEST_OVERHEAD_BYTES
  return { operations, bytes: Math.min(ENGINE_BATCH_BYTES_MAX, requestBytes - frames) }
}
