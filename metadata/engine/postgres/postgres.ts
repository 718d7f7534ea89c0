import { compareBytes, type KeyRange } from '../../../core/keyspace/bytes.ts'
import {
  ENGINE_BATCH_BYTES_MAX,
  ENGINE_BATCH_OPERATIONS_MAX,
  ENGINE_SCAN_ENTRIES_MAX,
  POSTGRES_ATTEMPTS,
  POSTGRES_SNAPSHOTS_MAX,
} from '../../../core/limits.ts'
import { RunningCalls } from '../running-calls.ts'
import { keyName } from '../key-name.ts'
import {
  assertScan,
  assertWithinLimits,
  type Engine,
  type EngineBatch,
  type EngineEntry,
  type EngineEstimate,
  type EngineSnapshot,
  type ScanRequest,
} from '../engine.ts'
import { commitBatch } from './commit.ts'
import type { PostgresConnection } from './connection.ts'
import { isPassing, isRolledBack } from './errors.ts'
import { estimateRange } from './estimate.ts'
import type { PostgresPorts } from './ports.ts'
import { SessionPool } from './pool.ts'
import type { Primary, PrimarySession } from './primary.ts'
import { byteaOf, entriesOf } from './rows.ts'
import { PostgresSnapshot } from './snapshot.ts'
import type { Statements } from './statements.ts'
import { WatchPoller } from './watch.ts'

/**
 * One table of a server that speaks PostgreSQL's protocol: PostgreSQL itself, with or without standbys, or YugabyteDB. Open
 * it with `openPostgresEngine`. Commits and reads have sessions of their own, so that commits which wait for a standby leave
 * reads room. Everything goes to the server that takes writes.
 */
export class PostgresEngine implements Engine {
  readonly limits = { operations: ENGINE_BATCH_OPERATIONS_MAX, bytes: ENGINE_BATCH_BYTES_MAX }
  readonly #primary: Primary
  readonly #statements: Statements
  readonly #commits: SessionPool
  readonly #reads: SessionPool
  readonly #poller: WatchPoller
  readonly #calls = new RunningCalls()
  #snapshots = 0
  #closed: Promise<void> | undefined

  constructor(
    primary: Primary,
    statements: Statements,
    poolSize: number,
    first: PrimarySession,
    { clock }: Pick<PostgresPorts, 'clock'>,
  ) {
    this.#primary = primary
    this.#statements = statements
    this.#commits = new SessionPool(primary, poolSize)
    this.#reads = new SessionPool(primary, poolSize)
    this.#reads.add(first)
    this.#poller = new WatchPoller((keys) => this.#digests(keys), clock)
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const [row] = await this.#read((connection) => connection.query(this.#statements.get(key)))
    return row === undefined ? undefined : byteaOf(row[0])
  }

  async scan(request: ScanRequest): Promise<EngineEntry[]> {
    assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
    return entriesOf(await this.#read((connection) => connection.query(this.#statements.scan(request))))
  }

  async scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]> {
    for (const request of requests) assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
    const [only] = requests
    if (only === undefined) return []
    if (requests.length === 1) return [await this.scan(only)]
    const rows = await this.#read((connection) => connection.query(this.#statements.scanTogether(requests)))
    const found = requests.map((): EngineEntry[] => [])
    for (const [request, key, value] of rows) {
      found[Number(request)]?.push({ key: byteaOf(key), value: byteaOf(value) })
    }
    // SQL promises no order over the parts of a union.
    for (const [index, entries] of found.entries()) {
      const sign = requests[index]?.reverse === true ? -1 : 1
      entries.sort((left, right) => sign * compareBytes(left.key, right.key))
    }
    return found
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#poller.watch(key, changed)
  }

  async estimate(range: KeyRange): Promise<EngineEstimate> {
    return await this.#read((connection) => estimateRange(range, connection, this.#statements))
  }

  /** @throws {RangeError} POSTGRES_SNAPSHOTS_MAX are open */
  async openSnapshot(): Promise<EngineSnapshot> {
    if (this.#snapshots >= POSTGRES_SNAPSHOTS_MAX) {
      throw new RangeError(`${POSTGRES_SNAPSHOTS_MAX} snapshots are open already`)
    }
    this.#snapshots++
    const released = (): void => {
      this.#snapshots--
    }
    try {
      return await this.#calls.run(async () => {
        const { connection } = await this.#primary.connect(true)
        return await PostgresSnapshot.begin(connection, this.#statements, released)
      })
    } catch (error) {
      released()
      throw error
    }
  }

  async commit(batch: EngineBatch): Promise<void> {
    await this.#calls.run(async () => {
      assertWithinLimits(batch, this.limits)
      await commitBatch(batch, this.#commits, this.#primary, this.#statements)
      this.#poller.committed(batch)
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#poller.close()
    this.#primary.close()
    await this.#calls.close()
    await Promise.all([this.#commits.close(), this.#reads.close()])
  }

  async #digests(keys: readonly Uint8Array[]): Promise<Map<string, string>> {
    const rows = await this.#read((connection) => connection.query(this.#statements.digests(keys)))
    return new Map(rows.map(([key, digest]) => [keyName(byteaOf(key)), String(digest)]))
  }

  /** A read changes nothing: where its connection is lost, or the server wants it, it is made again. */
  #read<T>(ask: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    return this.#calls.run(async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#reads.with(({ connection }) => ask(connection))
        } catch (error) {
          if (attempt === POSTGRES_ATTEMPTS || !(isPassing(error) || isRolledBack(error))) throw error
        }
      }
    })
  }
}
