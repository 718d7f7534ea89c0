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
import { Holdings, type Piece, type ShardReader } from './holdings.ts'
import { FIRST_STRIPE, listJournal } from './listing.ts'

/** A storage node as the journal sees it. */
export interface JournalNode {
  readonly id: string
  readonly zone: string
  /** It is to stay in the cluster, and was not given up for lost; up or not. */
  readonly stays: boolean
  /** It stays, is up and takes writes. */
  readonly usable: boolean
  /** It is up, and what lies on it is to go. */
  readonly leaving: boolean
}

export interface CopiesParts {
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly nodes: () => readonly JournalNode[]
}

/** On how many nodes a piece is, and in how many zones. */
export interface Spread {
  readonly copies: number
  readonly zones: number
}

/** Too few nodes took a piece. */
class CopiesError extends Error {
  override readonly name = 'CopiesError'
}

/** A piece that is to be put. */
interface Put {
  readonly blob: string
  readonly stripe: number
  readonly data: Uint8Array
  /** Of the whole blob, 0 where it is not known. */
  readonly blobBytes: number
}

const OWNER = { bucket: '', key: 'metadata', version: '', part: 0, code: `replica-${JOURNAL_COPIES}` }

const FULL: Spread = { copies: JOURNAL_COPIES, zones: JOURNAL_COPIES }

/** Whole copies of pieces of bytes on storage nodes of different zones. A node that fails is gone round. */
export class Copies {
  readonly #parts: CopiesParts
  /** By node: monotonic time until which it is the last to be asked. */
  readonly #avoidUntil = new Map<string, number>()
  #bytes = 0
  #fewest: Spread = FULL

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
    if (zones < JOURNAL_COPIES) return `copies in ${zones} of ${JOURNAL_COPIES} zones only`
    const { copies } = this.#fewest
    if (copies < JOURNAL_COPIES) {
      return `some of it has ${copies} of ${JOURNAL_COPIES} copies on nodes that are up`
    }
    if (this.#fewest.zones === JOURNAL_COPIES) return ''
    return `some of it is in ${this.#fewest.zones} of ${JOURNAL_COPIES} zones only`
  }

  /** Nodes would take more copies, or in more zones, than some piece has. */
  get canSpread(): boolean {
    const { copies, zones } = spreadOf(this.#calm())
    return copies > this.#fewest.copies || zones > this.#fewest.zones
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
   * Resolves when as many nodes as there should be have it on stable storage, or all but one of those where others fail: what it
   * lacks then is for {@link Copies.spread}.
   * @param blobBytes of the whole blob, 0 where it is not known yet
   * @throws {CopiesError}
   */
  async putStripe(blob: string, stripe: number, data: Uint8Array, blobBytes: number): Promise<void> {
    const wanted = Math.min(JOURNAL_COPIES, this.#usable().length)
    const placed: JournalNode[] = []
    const tried = new Set<string>()
    const failures: unknown[] = []
    for (;;) {
      const chosen = this.#choose(placed, tried, wanted - placed.length)
      if (chosen.length === 0) break
      for (const { id } of chosen) tried.add(id)
      const piece = { blob, stripe, data, blobBytes }
      const first = placed.length
      placed.push(...(await this.#putOn(chosen, piece, (_node, index) => first + index, failures)))
    }
    const enough = placed.length >= Math.max(1, wanted - 1) && placed.length >= Math.min(2, wanted)
    if (enough) {
      this.#note(spreadOf(placed))
      return
    }
    throw new CopiesError(
      wanted === 0 ? 'no storage node takes it' : `${placed.length} of ${wanted} copies could be written`,
      { cause: failures.at(-1) },
    )
  }

  /**
   * Puts copies of each of some pieces on as many more nodes, and in as many more zones, as it should have and can. From then on
   * {@link Copies.canSpread} and {@link Copies.shortage} go by these pieces and what was put since.
   * @param read the bytes of a piece; a rejection is told to `unread`
   */
  async spread(
    pieces: Iterable<Piece>,
    read: (piece: Piece) => Promise<Uint8Array>,
    unread: (error: unknown) => void,
  ): Promise<void> {
    this.#fewest = FULL
    for (const piece of pieces) {
      const sound = new Set(piece.copies.flatMap(({ node, damaged }) => (damaged ? [] : [node])))
      const damaged = new Map(piece.copies.flatMap((copy) => (copy.damaged ? [[copy.node, copy.shard]] : [])))
      const holders = this.#usable().filter(({ id }) => sound.has(id))
      const more = this.#more(holders, sound, damaged)
      try {
        if (more.length === 0) continue
        const put = { blob: piece.blob, stripe: piece.stripe, data: await read(piece), blobBytes: 0 }
        const free = 1 + Math.max(...piece.copies.map(({ shard }) => shard))
        // Put in the place of one that is damaged, it is not damaged any more.
        const shardOf = ({ id }: JournalNode, index: number): number => damaged.get(id) ?? free + index
        holders.push(...(await this.#putOn(more, put, shardOf, [])))
      } catch (error) {
        unread(error)
      } finally {
        this.#note(spreadOf(holders))
      }
    }
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
          // What is there is seen another time.
          this.#avoid(id)
        }
      }),
    )
    return found
  }

  /** What the nodes that answer hold, with a way to read it. */
  async holdings(): Promise<{ answered: ReadonlySet<string>; holdings: Holdings }> {
    const { shards } = this.#parts
    const inTime: ShardReader = {
      node: (id) => ({ get: (request) => this.#inTime(id, () => shards.node(id).get(request)) }),
    }
    const listed = await this.list()
    return { answered: new Set(listed.keys()), holdings: Holdings.from(inTime, listed) }
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

  #calm(): JournalNode[] {
    const now = this.#parts.clock.monotonicMs()
    return this.#usable().filter(({ id }) => (this.#avoidUntil.get(id) ?? 0) <= now)
  }

  #avoid(node: string): void {
    this.#avoidUntil.set(node, this.#parts.clock.monotonicMs() + JOURNAL_AVOID_MS)
  }

  #note({ copies, zones }: Spread): void {
    this.#fewest = {
      copies: Math.min(copies, this.#fewest.copies),
      zones: Math.min(zones, this.#fewest.zones),
    }
  }

  /** Resolves to those of them that took it. */
  async #putOn(
    nodes: readonly JournalNode[],
    { blob, stripe, data, blobBytes }: Put,
    shardOf: (node: JournalNode, index: number) => number,
    failures: unknown[],
  ): Promise<JournalNode[]> {
    const checksums = crc32cBlocks(data)
    const took = await Promise.all(
      nodes.map(async (node, index) => {
        const address = { group: JOURNAL_GROUP, blob, stripe, shard: shardOf(node, index) }
        try {
          await this.#inTime(node.id, (service, signal) =>
            service.put({ address, owner: { ...OWNER, blobBytes }, epoch: 0, data, checksums }, signal),
          )
          this.#bytes += data.length
          return [node]
        } catch (error) {
          failures.push(error)
          this.#avoid(node.id)
          return []
        }
      }),
    )
    return took.flat()
  }

  /**
   * Where a piece should be too, besides on its holders: never more than it lacks, and no second node of a zone only for the zones.
   * @param first those that are chosen before others
   */
  #more(
    holders: readonly JournalNode[],
    ids: ReadonlySet<string>,
    first: ReadonlyMap<string, unknown>,
  ): JournalNode[] {
    const calm = this.#calm().toSorted(
      (left, right) => Number(first.has(right.id)) - Number(first.has(left.id)),
    )
    const lacks = Math.min(JOURNAL_COPIES, calm.length) - holders.length
    const zones = new Set(holders.map(({ zone }) => zone))
    const lacksZones = Math.min(JOURNAL_COPIES, spreadOf([...calm, ...holders]).zones) - zones.size
    return this.#choose(holders, ids, Math.max(lacks, lacksZones, 0), calm).filter(
      ({ zone }, index) => index < lacks || !zones.has(zone),
    )
  }

  /** Of zones that have none yet first, of those that failed lately last; else always the same ones. */
  #choose(
    placed: readonly JournalNode[],
    tried: ReadonlySet<string>,
    count: number,
    among = this.#usable(),
  ): JournalNode[] {
    const free = among.filter(({ id }) => !tried.has(id))
    const calmNow = new Set(this.#calm().map(({ id }) => id))
    const calm = free.filter(({ id }) => calmNow.has(id))
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

/** No more than {@link FULL}. */
function spreadOf(nodes: readonly JournalNode[]): Spread {
  return {
    copies: Math.min(JOURNAL_COPIES, nodes.length),
    zones: Math.min(JOURNAL_COPIES, new Set(nodes.map(({ zone }) => zone)).size),
  }
}
