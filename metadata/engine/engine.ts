import type { KeyRange } from '../../core/keyspace/bytes.ts'

/**
 * The ordered key-value store below a partition: bytes to bytes, in byte order of the keys. Drivers pass one contract
 * suite (test/contract/engine.ts). The interface asks for nothing that etcd (Range, Txn) and PostgreSQL (one table, one
 * transaction) cannot do: no iterator outlives a call, batches are bounded, and a fence is a compare of one value.
 *
 * Arrays given are not kept or changed by the engine after the call settles; arrays returned belong to the caller.
 */
export interface Engine {
  readonly limits: EngineLimits
  /** Sees exactly the batches that are durable. */
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  /** One consistent snapshot: a batch is seen whole or not at all. */
  scan(request: ScanRequest): Promise<EngineEntry[]>
  /** Several scans of one consistent snapshot: what a batch moves from one range to another is seen exactly once. */
  scanTogether(requests: readonly ScanRequest[]): Promise<EngineEntry[][]>
  /**
   * Calls `changed` some time after the key may have been written: in this process at once, by other processes as soon as the
   * engine tells, at most ENGINE_WATCH_MS later. It may also be called for nothing; whoever watches reads the key. The function
   * returned ends it.
   */
  watch(key: Uint8Array, changed: () => void): () => void
  /** What lies in a range, roughly, without reading it. */
  estimate(range: KeyRange): Promise<EngineEstimate>
  /** What is durable at one moment, for reads that take long, such as a backup. */
  openSnapshot(): Promise<EngineSnapshot>
  /**
   * Resolves once all of the batch is on stable storage; from then on every read sees it.
   * @throws {FencedError} the fence does not hold; nothing was written
   * @throws {BatchTooLargeError} the batch breaks `limits`; nothing was written
   * @throws {EngineFullError} nothing was written
   * @throws anything else: the outcome is unknown
   */
  commit(batch: EngineBatch): Promise<void>
  /** Space of an engine that has a bound of its own; where there is none, the disk's is what counts. */
  space?(): Promise<EngineSpace>
  /**
   * Puts a key that is there only as long as this process says so, for membership: when the process dies or cannot reach the
   * engine, the key vanishes by itself, after `ttlMs` at the earliest and soon after that. Reads, scans and watches see it as any
   * other key; a batch that puts it makes it a key that stays.
   * @throws when it could not be put; it may be there for up to `ttlMs`
   */
  holdKey?(key: Uint8Array, value: Uint8Array, ttlMs: number): Promise<HeldKey>
  /** Waits for what runs. Calls after it are refused. */
  close(): Promise<void>
}

export interface EngineSnapshot {
  /** As {@link Engine.scan}, whatever is committed meanwhile. @throws {SnapshotLostError} */
  scan(request: ScanRequest): Promise<EngineEntry[]>
  /** Always called. May be called again. */
  close(): Promise<void>
}

export interface HeldKey {
  /**
   * Until when the key is certainly there, by the monotonic clock that the engine was given: counted from before the last renewal
   * that was answered was sent. Who holds it serves nothing by it from then on. It grows by itself.
   */
  readonly validUntilMs: number
  /** Resolves once the hold has ended and is not renewed any more: the engine let the key go, was out of reach for long, or it was closed. */
  readonly lost: Promise<undefined>
  /** Another value under the same hold. @throws when the outcome is unknown or the key is lost */
  update(value: Uint8Array): Promise<void>
  /** Removes the key, or lets it vanish where the engine cannot be reached. */
  close(): Promise<void>
}

export interface EngineSpace {
  /** What counts towards the quota, of the member that uses most. */
  readonly usedBytes: number
  /** Undefined where there is none. */
  readonly quotaBytes: number | undefined
}

/** Undefined where the engine cannot tell. */
export interface EngineEstimate {
  readonly entries: number | undefined
  readonly bytes: number | undefined
}

export interface EngineLimits {
  /** Puts and deletes of one batch. */
  readonly operations: number
  /** Keys and values of one batch. */
  readonly bytes: number
}

export interface EngineEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export interface ScanRequest extends KeyRange {
  /** At most ENGINE_SCAN_ENTRIES_MAX. */
  readonly limit: number
  /** From the end of the range. */
  readonly reverse?: boolean
}

export interface EngineBatch {
  /** The batch is written only if `key` holds exactly `token` at that moment; undefined: only if there is no such key. */
  readonly fence: Fence
  readonly puts: readonly EngineEntry[]
  /** A key that is not there is no error. No key may be both put and deleted. */
  readonly deletes: readonly Uint8Array[]
}

export interface Fence {
  readonly key: Uint8Array
  readonly token: Uint8Array | undefined
}

/** Somebody else holds what the caller thought to own. */
export class FencedError extends Error {
  override readonly name = 'FencedError'

  constructor() {
    super('fenced out: another owner has taken over')
  }
}

/** The engine has let the snapshot go, be it for its age or with a connection: whoever reads begins anew. */
export class SnapshotLostError extends Error {
  override readonly name = 'SnapshotLostError'
}

/** The engine has no room for a batch that puts; nothing was written. Batches of deletes are taken. */
export class EngineFullError extends Error {
  override readonly name = 'EngineFullError'
}

/** What the engine keeps its records in cannot be used: a folder in use or damaged, a server that is not there or refuses. */
export class EngineOpenError extends Error {
  override readonly name = 'EngineOpenError'
}

export class BatchTooLargeError extends Error {
  override readonly name = 'BatchTooLargeError'
}

/** @throws {BatchTooLargeError} */
export function assertWithinLimits(batch: EngineBatch, limits: EngineLimits): void {
  const operations = batch.puts.length + batch.deletes.length
  const bytes = bytesOf(batch)
  if (operations > limits.operations || bytes > limits.bytes) {
    throw new BatchTooLargeError(
      `${operations} operations of ${bytes} bytes; a batch has at most ${limits.operations} of ${limits.bytes} bytes`,
    )
  }
}

/** Keys and values of a batch. */
export function bytesOf({ puts, deletes }: Pick<EngineBatch, 'puts' | 'deletes'>): number {
  let bytes = 0
  for (const { key, value } of puts) bytes += key.length + value.length
  for (const key of deletes) bytes += key.length
  return bytes
}

/** @throws {RangeError} */
export function assertScan(request: ScanRequest, entriesMax: number): void {
  if (!Number.isSafeInteger(request.limit) || request.limit < 0 || request.limit > entriesMax) {
    throw new RangeError(`a scan returns 0 to ${entriesMax} entries, not ${request.limit}`)
  }
}

/** Whether `found` is what the fence asks for. */
export function fenceHolds({ token }: Fence, found: Uint8Array | undefined): boolean {
  if (token === undefined || found === undefined) return token === found
  return token.length === found.length && token.every((byte, index) => byte === found[index])
}
