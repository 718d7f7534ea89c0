import { create } from '@bufbuild/protobuf'
import type { KeyRange } from '../../../core/keyspace/bytes.ts'
import { compareBytes } from '../../../core/keyspace/bytes.ts'
import { ENGINE_SCAN_ENTRIES_MAX, ETCD_TXN_OPERATIONS_DEFAULT } from '../../../core/limits.ts'
import {
  type RangeRequest,
  RangeRequest_SortOrder,
  RangeRequestSchema,
  type RangeResponse,
  TxnRequestSchema,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import { assertScan, type EngineEntry, type ScanRequest, SnapshotLostError } from '../engine.ts'
import { EtcdError } from './errors.ts'
import type { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import { rangeMethod, rangeOf, txnMethod } from './requests.ts'
import { ScanCursor, type Stretch } from './scan-cursor.ts'
import type { Signposts } from './signposts.ts'

/**
 * Reads, all of them linearizable: the member asks the leader how far it must be before it answers. What is read in several
 * steps is read at the revision of the first.
 */
export class Reads {
  readonly #members: Members
  readonly #keys: EtcdKeys
  readonly #signposts: Signposts

  constructor(members: Members, keys: EtcdKeys, signposts: Signposts) {
    this.#members = members
    this.#keys = keys
    this.#signposts = signposts
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const request = create(RangeRequestSchema, { key: this.#keys.data(key) })
    const { kvs } = await this.#members.call(rangeMethod, request)
    const [found] = kvs
    return found === undefined ? undefined : new Uint8Array(found.value)
  }

  /** The newest revision. */
  async revision(): Promise<bigint> {
    const request = create(RangeRequestSchema, { key: this.#keys.nothing, countOnly: true })
    const { header } = await this.#members.call(rangeMethod, request)
    return header?.revision ?? 0n
  }

  async count({ gte, lt }: KeyRange): Promise<number> {
    if (compareBytes(gte, lt) >= 0) return 0
    const request = create(RangeRequestSchema, {
      key: this.#keys.data(gte),
      rangeEnd: this.#keys.data(lt),
      countOnly: true,
    })
    const { count } = await this.#members.call(rangeMethod, request)
    return Number(count)
  }

  /** Of one revision: of the newest, unless one is given. @throws {SnapshotLostError} that revision was compacted */
  async scan(requests: readonly ScanRequest[], revision?: bigint): Promise<EngineEntry[][]> {
    for (const request of requests) assertScan(request, ENGINE_SCAN_ENTRIES_MAX)
    const cursors = requests.map((request) => new ScanCursor(request, this.#signposts))
    let at = revision ?? 0n
    const open = cursors.filter(({ stretch }) => stretch !== undefined)
    if (at === 0n && open.length > 1 && open.length <= ETCD_TXN_OPERATIONS_DEFAULT) {
      at = (await this.#together(open)) ?? 0n
    }
    // Every other way to read several begins with the revision.
    if (at === 0n && open.length > 1) at = await this.revision()
    await Promise.all(
      open.map(async (cursor) => {
        let cursorAt = at
        for (let { stretch } = cursor; stretch !== undefined; { stretch } = cursor) {
          const header = await this.#read(cursor, stretch, cursorAt)
          if (header !== undefined) cursorAt = header
        }
      }),
    )
    return cursors.map(({ entries }) => entries)
  }

  /** First stretches of several scans, in one request. @returns their revision; undefined where the answer was too large */
  async #together(cursors: readonly ScanCursor[]): Promise<bigint | undefined> {
    const asked = cursors.flatMap((cursor) =>
      cursor.stretch === undefined ? [] : [{ cursor, stretch: cursor.stretch }],
    )
    const success = asked.map(({ cursor, stretch }) => rangeOf(this.#rangeOf(cursor, stretch, 0n)))
    try {
      const { header, responses } = await this.#members.call(txnMethod, create(TxnRequestSchema, { success }))
      for (const [index, { cursor, stretch }] of asked.entries()) {
        const response = responses[index]?.response
        if (response?.case !== 'responseRange') throw new Error('etcd answered a range with something else')
        this.#took(cursor, stretch, response.value)
      }
      return header?.revision
    } catch (error) {
      if (error instanceof EtcdError && error.kind === 'answer-too-large') return undefined
      throw error
    }
  }

  /** @returns the revision that was read */
  async #read(cursor: ScanCursor, stretch: Stretch, revision: bigint): Promise<bigint | undefined> {
    try {
      const response = await this.#members.call(rangeMethod, this.#rangeOf(cursor, stretch, revision))
      this.#took(cursor, stretch, response)
      return revision === 0n ? response.header?.revision : revision
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error
      if (error.kind === 'answer-too-large' && cursor.halve()) return undefined
      if (error.kind === 'compacted') {
        throw new SnapshotLostError('etcd has compacted the revision that was read', { cause: error })
      }
      throw error
    }
  }

  #rangeOf(cursor: ScanCursor, { gte, lt, limit }: Stretch, revision: bigint): RangeRequest {
    return create(RangeRequestSchema, {
      key: this.#keys.data(gte),
      rangeEnd: this.#keys.data(lt),
      limit: BigInt(limit),
      revision,
      sortOrder: cursor.reverse ? RangeRequest_SortOrder.DESCEND : RangeRequest_SortOrder.NONE,
    })
  }

  #took(cursor: ScanCursor, stretch: Stretch, { kvs, more, count }: RangeResponse): void {
    const entries = kvs.map(({ key, value }) => ({
      key: this.#keys.strip(key),
      value: new Uint8Array(value),
    }))
    cursor.took(stretch, entries, more)
    this.#signposts.found(Number(count), stretch.limit)
  }
}
