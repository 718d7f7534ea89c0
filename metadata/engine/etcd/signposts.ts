import { create } from '@bufbuild/protobuf'
import { compareBytes, type KeyRange, next } from '../../../core/keyspace/bytes.ts'
import {
  ETCD_SIGNPOST_EVERY,
  ETCD_SIGNPOST_GAP_MAX,
  ETCD_SIGNPOSTS_LOAD_MS,
  ETCD_SIGNPOSTS_MAX,
  ETCD_TXN_OPERATIONS_DEFAULT,
  ENGINE_SCAN_ENTRIES_MAX,
} from '../../../core/limits.ts'
import { RangeRequestSchema, TxnRequestSchema } from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Clock } from '../../../runtime/ports/clock.ts'
import type { Log } from '../../../runtime/ports/log.ts'
import { keyName } from '../key-name.ts'
import type { EngineBatch } from '../engine.ts'
import type { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import { deleteOf, putOf, rangeMethod, txnMethod } from './requests.ts'

/**
 * Keys at about equal distances, so that no range that is asked of etcd is long.
 *
 * etcd answers a range with a limit in time that grows with the whole range: it counts all of it (`RangeResponse.count`), and
 * from the end it even reads and sorts all of it (server/storage/mvcc/index.go, server/etcdserver/txn/range.go). Among ten
 * million keys that is a second for a page of a listing. So one key in ETCD_SIGNPOST_EVERY, chosen by its hash, is also put in a
 * space of its own when it is put, and a scan asks for the stretch up to the signpost behind which it should have enough.
 *
 * Signposts are hints: they are written after the commit, and not always. One too many makes a stretch end early, one too few
 * makes it longer; what a scan returns is the same. Of what others have written a process learns when a stretch turns out long.
 */
export class Signposts {
  readonly #members: Members
  readonly #keys: EtcdKeys
  readonly #clock: Clock
  readonly #log: Log
  /** Sorted, without the prefix. */
  #posts: Uint8Array[] = []
  /** What is still to be written: by name, the key and whether it is put. */
  readonly #unwritten = new Map<string, { readonly key: Uint8Array; readonly put: boolean }>()
  #writing: Promise<void> = Promise.resolve()
  #busy = false
  #loadedAt = Number.NEGATIVE_INFINITY
  #loading: Promise<void> | undefined

  constructor(members: Members, keys: EtcdKeys, clock: Clock, log: Log) {
    this.#members = members
    this.#keys = keys
    this.#clock = clock
    this.#log = log
  }

  /** The end of a stretch from `from` that should hold `entries`, at most `lt`. */
  after({ gte, lt }: KeyRange, entries: number): Uint8Array {
    // Distances vary, and to ask twice takes longer than to ask for half as much again: etcd only counts what is too much.
    const steps = Math.ceil((1.5 * entries) / ETCD_SIGNPOST_EVERY)
    const post = this.#posts[positionOf(this.#posts, next(gte)) + steps]
    return post !== undefined && compareBytes(post, lt) < 0 ? post : lt
  }

  /** The start of a stretch up to `lt` that should hold `entries`, at least `gte`. */
  before({ gte, lt }: KeyRange, entries: number): Uint8Array {
    // From the end it reads all of the stretch: no more than is likely to be needed.
    const steps = Math.round(entries / ETCD_SIGNPOST_EVERY)
    const post = this.#posts[positionOf(this.#posts, lt) - 1 - steps]
    return post !== undefined && compareBytes(post, gte) > 0 ? post : gte
  }

  /** Keys of a range, about; undefined where signposts are too few to say. */
  countOf({ gte, lt }: KeyRange): number | undefined {
    const posts = positionOf(this.#posts, lt) - positionOf(this.#posts, gte)
    return posts < 32 ? undefined : posts * ETCD_SIGNPOST_EVERY
  }

  /** A batch has become durable. */
  committed({ puts, deletes }: Pick<EngineBatch, 'puts' | 'deletes'>): void {
    for (const { key } of puts) if (isSignpost(key)) this.#note(key.slice(), true)
    for (const key of deletes) if (isSignpost(key)) this.#note(key.slice(), false)
    if (this.#unwritten.size > 0 && !this.#busy) this.#writing = this.#write()
  }

  /** Told how many keys a stretch had: where that is far more than signposts promised, others have put them. */
  found(count: number, entries: number): void {
    if (count > ETCD_SIGNPOST_GAP_MAX + 2 * entries) void this.load()
  }

  /** Reads all signposts, unless that was done a moment ago. Its failure leaves those that are known. */
  async load(): Promise<void> {
    if (this.#clock.monotonicMs() - this.#loadedAt < ETCD_SIGNPOSTS_LOAD_MS) return
    await (this.#loading ??= this.#load())
  }

  async close(): Promise<void> {
    await Promise.all([this.#writing, this.#loading])
  }

  #note(key: Uint8Array, put: boolean): void {
    const at = positionOf(this.#posts, key)
    const known = this.#posts[at]
    const there = known !== undefined && compareBytes(known, key) === 0
    if (put === there) return
    if (!put) this.#posts.splice(at, 1)
    else if (this.#posts.length < ETCD_SIGNPOSTS_MAX) this.#posts.splice(at, 0, key)
    this.#unwritten.set(keyName(key), { key, put })
  }

  async #write(): Promise<void> {
    this.#busy = true
    try {
      while (this.#unwritten.size > 0) {
        const some = [...this.#unwritten.entries()].slice(0, ETCD_TXN_OPERATIONS_DEFAULT)
        for (const [name] of some) this.#unwritten.delete(name)
        const success = some.map(([, { key, put }]) =>
          put ? putOf(this.#keys.signpost(key), new Uint8Array()) : deleteOf(this.#keys.signpost(key)),
        )
        await this.#members.call(txnMethod, create(TxnRequestSchema, { success }))
      }
    } catch (error) {
      this.#log.debug('signposts could not be written', { error })
    } finally {
      this.#busy = false
    }
  }

  async #load(): Promise<void> {
    const posts: Uint8Array[] = []
    let { gte } = this.#keys.signposts
    const { lt } = this.#keys.signposts
    try {
      while (posts.length < ETCD_SIGNPOSTS_MAX) {
        const { kvs, more } = await this.#members.call(
          rangeMethod,
          create(RangeRequestSchema, {
            key: gte,
            rangeEnd: lt,
            limit: BigInt(8 * ENGINE_SCAN_ENTRIES_MAX),
            keysOnly: true,
            serializable: true,
          }),
        )
        for (const { key } of kvs) posts.push(this.#keys.strip(key))
        const last = kvs.at(-1)
        if (!more || last === undefined) break
        gte = next(last.key)
      }
      this.#posts = posts
      this.#loadedAt = this.#clock.monotonicMs()
    } catch (error) {
      this.#log.debug('signposts could not be read', { error })
    } finally {
      this.#loading = undefined
    }
  }
}

/** FNV-1a with MurmurHash3's finaliser. Which keys are signposts is kept in the ensemble: this never changes. */
export function isSignpost(key: Uint8Array): boolean {
  let hash = 0x811c9dc5
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % ETCD_SIGNPOST_EVERY === 0
}

/** Index of the first post at or after `key`. */
function positionOf(posts: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0
  let high = posts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const post = posts[middle]
    if (post !== undefined && compareBytes(post, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
