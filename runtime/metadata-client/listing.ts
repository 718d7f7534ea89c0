import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { LIST_ENTRIES_MAX, LIST_PARTITIONS_AT_ONCE } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataReply, type MetadataRequestInit } from '../../proto/metadata-api.ts'
import {
  type ListingKind,
  type ListingOperation,
  type ListingQuery,
  type Marker,
  NO_MARKER,
} from './listing-kinds.ts'

/** What a listing over several partitions needs of its surroundings. */
export interface ListingWorld<K extends ListingOperation> {
  /** Asks the partition in which the range of the request begins. */
  ask(request: MetadataRequestInit<K>, signal: AbortSignal | undefined): Promise<MetadataReply<K>>
  /** Where the next partition begins, as far as the caller's map says; undefined: there is none. */
  after(position: Position): Position | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Lists as one partition would, over as many as the range has: each one's reply says where it ends, and there the next one
 * goes on. A partition that yields little is followed by several at once, since a page may be made of many then; at most
 * LIST_PARTITIONS_AT_ONCE pages are held. What the map says is only used to ask in advance: were it wrong, the answers to
 * that would not begin where the listing has come to, and are asked for again.
 */
export async function listAcross<K extends ListingOperation, Entry>(
  kind: ListingKind<K, Entry>,
  request: MetadataRequestInit<K>,
  world: ListingWorld<K>,
): Promise<MetadataReply<K>> {
  const first = await world.ask(request, world.signal)
  // Nearly always all of it lies in one partition.
  if (first.coveredTo === undefined) return first
  const asked = kind.query(request)
  if (asked.limit === 0) return kind.reply([], [], undefined)
  const limit = Math.min(asked.limit, LIST_ENTRIES_MAX)
  const ended = new AbortController()
  const signal = world.signal === undefined ? ended.signal : AbortSignal.any([world.signal, ended.signal])
  try {
    return await new Walk(kind, { ...asked, limit }, { ...world, signal }).run(first)
  } finally {
    ended.abort(new Error('the listing is over'))
  }
}

class Walk<K extends ListingOperation, Entry> {
  readonly #kind: ListingKind<K, Entry>
  readonly #query: ListingQuery
  readonly #world: ListingWorld<K>
  readonly #entries: Entry[] = []
  readonly #commonPrefixes: string[] = []
  /** Answers to come from where partitions are thought to begin. */
  readonly #ahead = new Map<string, Promise<MetadataReply<K>>>()
  /** What was listed last. */
  #last: Marker | undefined
  /** The common prefix that was listed last, be it by an earlier page: it may go on in the next partition. */
  #under: string | undefined
  /** The page is full, and there is more. */
  #full = false

  constructor(kind: ListingKind<K, Entry>, query: ListingQuery, world: ListingWorld<K>) {
    this.#kind = kind
    this.#query = query
    this.#world = world
    const { key } = query.marker
    if (this.#groupOf(key) === key && key !== '') this.#under = key
  }

  get #room(): number {
    return this.#query.limit - this.#entries.length - this.#commonPrefixes.length
  }

  async run(first: MetadataReply<K>): Promise<MetadataReply<K>> {
    let reply = first
    let from = this.#query.from
    for (;;) {
      const before = this.#room
      assertProgress(reply, this.#kind.entries(reply).length)
      this.#take(reply)
      if (this.#full) return this.#reply(true)
      if (reply.truncated) {
        if (this.#room <= 0) return this.#reply(true)
        reply = await this.#ask(from, this.#kind.next(reply))
        continue
      }
      const { coveredTo } = reply
      if (coveredTo === undefined) return this.#reply(false)
      assertAfter(coveredTo, from)
      from = this.#skip(coveredTo)
      // One that filled much of the page has a neighbour that will fill the rest, as a rule.
      const width =
        (before - this.#room) * 4 < this.#query.limit || this.#room <= 0 ? LIST_PARTITIONS_AT_ONCE : 1
      this.#lookAhead(from, width)
      reply = await (this.#ahead.get(from) ?? this.#ask(from, this.#markerAt(from)))
      this.#ahead.delete(from)
    }
  }

  /** Lists what a partition has, until the page is full. */
  #take(reply: MetadataReply<K>): void {
    const entries = this.#kind.entries(reply)
    let index = 0
    const takeEntries = (until: string | undefined): void => {
      for (let entry = entries[index]; entry !== undefined && !this.#full; entry = entries[++index]) {
        const marker = this.#kind.markerOf(entry)
        if (until !== undefined && compareUtf8(marker.key, until) > 0) return
        if (!this.#admit(marker)) return
        this.#entries.push(entry)
      }
    }
    for (const commonPrefix of reply.commonPrefixes) {
      takeEntries(commonPrefix)
      // It began in a partition before.
      if (commonPrefix === this.#under) continue
      if (!this.#admit({ key: commonPrefix, id: '' })) return
      this.#commonPrefixes.push(commonPrefix)
      this.#under = commonPrefix
    }
    takeEntries(undefined)
  }

  #admit(marker: Marker): boolean {
    if (this.#room === 0) this.#full = true
    else this.#last = marker
    return !this.#full
  }

  /** Past partitions that have nothing but what is rolled up already. */
  #skip(from: string): string {
    const { bucket } = this.#query
    const under = this.#under
    if (under === undefined) return from
    let at = from
    while (at.startsWith(under)) {
      const next = this.#world.after({ bucket, key: at })
      if (next?.bucket !== bucket || !next.key.startsWith(under)) break
      at = next.key
    }
    return at
  }

  /** Asks partitions from there on, those that are in the range. */
  #lookAhead(from: string, width: number): void {
    const { bucket, prefix } = this.#query
    for (const start of this.#ahead.keys()) if (compareUtf8(start, from) < 0) this.#ahead.delete(start)
    let at: Position | undefined = { bucket, key: from }
    while (at?.bucket === bucket && at.key.startsWith(prefix) && this.#ahead.size < width) {
      if (!this.#ahead.has(at.key)) {
        const asked = this.#ask(at.key, this.#markerAt(at.key))
        // If it is needed, it is waited for then.
        asked.catch(() => undefined)
        this.#ahead.set(at.key, asked)
      }
      at = this.#world.after(at)
    }
  }

  /** What lies before `from` needs no marker: only a common prefix can reach past it. */
  #markerAt(from: string): Marker {
    const under = this.#under
    return under !== undefined && from.startsWith(under) ? { key: under, id: '' } : NO_MARKER
  }

  #ask(from: string, marker: Marker): Promise<MetadataReply<K>> {
    const query = { ...this.#query, from, marker, limit: Math.max(1, this.#room) }
    return this.#world.ask(this.#kind.request(query), this.#world.signal)
  }

  #reply(truncated: boolean): MetadataReply<K> {
    const next = truncated ? (this.#last ?? NO_MARKER) : undefined
    return this.#kind.reply(this.#entries, this.#commonPrefixes, next)
  }

  #groupOf(key: string): string | undefined {
    const { prefix, delimiter } = this.#query
    return key.startsWith(prefix) ? commonPrefixOf(key, prefix, delimiter) : undefined
  }
}

function assertAfter(coveredTo: string, from: string): void {
  if (compareUtf8(coveredTo, from) > 0) return
  throw new MetadataError(FailureCode.INTERNAL, 'a partition ends before the key that it was asked from')
}

function assertProgress(
  { truncated, commonPrefixes }: MetadataReply<ListingOperation>,
  entries: number,
): void {
  if (!truncated || entries + commonPrefixes.length > 0) return
  throw new MetadataError(FailureCode.INTERNAL, 'a partition lists nothing and says that there is more')
}
