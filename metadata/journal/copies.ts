import {
  JOURNAL_AVOID_MS,
  JOURNAL_COPIES,
  JOURNAL_PUT_TIMEOUT_MS,
  SHARD_BYTES_MAX,
} from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import type { ListedShard, ShardService, ShardTransport } from '../../proto/shard-transport.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { baseBefore, type LeadingBase } from './base-before.ts'
import { Holdings, type ShardReader } from './holdings.ts'
import { FIRST_STRIPE, listJournal } from './listing.ts'
import type { JournalPosition } from './tail.ts'

/** A storage node as the journal sees it. */
export interface JournalNode {
  readonly id: string
  readonly zone: string
  /** It is up and takes writes, and is to stay in the cluster. */
  readonly usable: boolean
  /** It is up, and what lies on it is to go. */
  readonly leaving: boolean
}

export interface CopiesParts {
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly nodes: () => readonly JournalNode[]
}

/** Too few nodes took a piece. */
class CopiesError extends Error {
  override readonly name = 'CopiesError'
}

const OWNER = { bucket: '', key: 'metadata', version: '', part: 0, code: `replica-${JOURNAL_COPIES}` }

/** Whole copies of pieces of bytes on storage nodes of different zones. A node that fails is gone round. */
export class Copies {
  readonly #parts: CopiesParts
  /** By node: monotonic time until which it is the last to be asked. */
  readonly #avoidUntil = new Map<string, number>()
  #bytes = 0

  constructor(parts: CopiesParts) {
    this.#parts = parts
  }

  /** Bytes put so far, all copies. */
  get bytesPut(): number {
    return this.#bytes
  }

  /** Why what is put has fewer copies than it should, for people; empty where it has not. */
  get shortage(): string {
    const usable = this.#usable()
    if (usable.length === 0) return 'no storage node takes it'
    const zones = new Set(usable.map(({ zone }) => zone)).size
    if (usable.length < JOURNAL_COPIES) return `copies on ${usable.length} of ${JOURNAL_COPIES} nodes only`
    return zones < JOURNAL_COPIES ? `copies in ${zones} of ${JOURNAL_COPIES} zones only` : ''
  }

  /** Puts all of a blob. @throws {CopiesError} */
  async putBlob(blob: string, data: Uint8Array): Promise<void> {
    const stripes = Math.max(1, Math.ceil(data.length / SHARD_BYTES_MAX))
    for (let index = 0; index < stripes; index++) {
      const piece = data.subarray(index * SHARD_BYTES_MAX, (index + 1) * SHARD_BYTES_MAX)
      await this.putStripe(blob, FIRST_STRIPE + index, piece, data.length)
    }
  }

  /**
   * Resolves when as many nodes as there should be have it on stable storage, or all but one of those where others fail.
   * @param blobBytes of the whole blob, 0 where it is not known yet
   * @throws {CopiesError}
   */
  async putStripe(blob: string, stripe: number, data: Uint8Array, blobBytes: number): Promise<void> {
    const wanted = Math.min(JOURNAL_COPIES, this.#usable().length)
    const placed: JournalNode[] = []
    const tried = new Set<string>()
    let last: unknown
    const checksums = crc32cBlocks(data)
    for (;;) {
      const chosen = this.#choose(placed, tried, wanted - placed.length)
      if (chosen.length === 0) break
      await Promise.all(
        chosen.map(async (node, index) => {
          tried.add(node.id)
          const address = { group: JOURNAL_GROUP, blob, stripe, shard: placed.length + index }
          try {
            await this.#inTime(node.id, (service, signal) =>
              service.put({ address, owner: { ...OWNER, blobBytes }, epoch: 0, data, checksums }, signal),
            )
            return node
          } catch (error) {
            last = error
            this.#avoidUntil.set(node.id, this.#parts.clock.monotonicMs() + JOURNAL_AVOID_MS)
            return undefined
          }
        }),
      ).then((nodes) => {
        for (const node of nodes) if (node !== undefined) placed.push(node)
      })
    }
    this.#bytes += placed.length * data.length
    if (placed.length >= Math.max(1, wanted - 1) && placed.length >= Math.min(2, wanted)) return
    throw new CopiesError(
      wanted === 0 ? 'no storage node takes it' : `${placed.length} of ${wanted} copies could be written`,
      { cause: last },
    )
  }

  /** What each node that answers holds. */
  async list(): Promise<Map<string, ListedShard[]>> {
    const found = new Map<string, ListedShard[]>()
    await Promise.all(
      this.#parts.nodes().map(async ({ id, usable, leaving }) => {
        if (!usable && !leaving) return
        try {
          found.set(
            id,
            await listJournal((request) => this.#inTime(id, (node, signal) => node.list(request, signal))),
          )
        } catch {
          // What is there is removed another time.
        }
      }),
    )
    return found
  }

  /** The whole base that leads up to a segment, as far as the nodes that answer have it. */
  async baseBefore(position: JournalPosition): Promise<LeadingBase | undefined> {
    const { shards } = this.#parts
    const inTime: ShardReader = {
      node: (id) => ({ get: (request) => this.#inTime(id, () => shards.node(id).get(request)) }),
    }
    return await baseBefore(Holdings.from(inTime, await this.list()), position)
  }

  /** Removes a blob from one node; what fails is found again by a later list. */
  async remove(node: string, blob: string): Promise<void> {
    await this.#inTime(node, (service, signal) => service.deleteBlob(JOURNAL_GROUP, blob, signal)).catch(
      () => undefined,
    )
  }

  #usable(): JournalNode[] {
    return this.#parts.nodes().filter(({ usable }) => usable)
  }

  /** Of zones that have none yet first, of those that failed lately last; else always the same ones. */
  #choose(placed: readonly JournalNode[], tried: ReadonlySet<string>, count: number): JournalNode[] {
    const now = this.#parts.clock.monotonicMs()
    const free = this.#usable().filter(({ id }) => !tried.has(id))
    const calm = free.filter(({ id }) => (this.#avoidUntil.get(id) ?? 0) <= now)
    const zones = new Set(placed.map(({ zone }) => zone))
    const chosen: JournalNode[] = []
    for (const pool of [calm, free]) {
      for (const fresh of [true, false]) {
        for (const node of pool) {
          if (chosen.length >= count || chosen.includes(node) || (fresh && zones.has(node.zone))) continue
          chosen.push(node)
          zones.add(node.zone)
        }
      }
    }
    return chosen
  }

  async #inTime<T>(
    node: string,
    run: (service: ShardService, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const late = new AbortController()
    // A service in this process need not hear of the signal.
    const gone = Promise.withResolvers<never>()
    const cancel = this.#parts.clock.after(JOURNAL_PUT_TIMEOUT_MS, () => {
      const reason = new CopiesError(`storage node ${node} does not answer`)
      late.abort(reason)
      gone.reject(reason)
    })
    try {
      return await Promise.race([run(this.#parts.shards.node(node), late.signal), gone.promise])
    } finally {
      cancel()
    }
  }
}
