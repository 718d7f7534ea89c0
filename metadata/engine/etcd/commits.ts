import { create } from '@bufbuild/protobuf'
import { LRUCache } from 'lru-cache'
import { compareBytes } from '../../../core/keyspace/bytes.ts'
import { ETCD_MARK_COMMITS, ETCD_MARKS_MAX } from '../../../core/limits.ts'
import {
  RangeRequestSchema,
  type RequestOp,
  type Compare,
  TxnRequestSchema,
  type TxnResponse,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import type { Random } from '../../../runtime/ports/random.ts'
import { keyName } from '../key-name.ts'
import {
  BatchTooLargeError,
  type EngineBatch,
  EngineFullError,
  type Fence,
  FencedError,
  fenceHolds,
} from '../engine.ts'
import { EtcdError } from './errors.ts'
import { concatBytes, type EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'
import {
  compareRevision,
  compareValue,
  deleteOf,
  getOf,
  putOf,
  rangeMethod,
  txnMethod,
  txnOf,
} from './requests.ts'

/** Bytes of a commit's name: no two commits ever have the same. */
const NAME_BYTES = 12
/** Commits of others under the same fence that one commit gives way to. */
const ATTEMPTS = 1000
/** A fence's token that is sent whole to be compared: those of owners are some 30 bytes. */
const TOKEN_BYTES_SENT_MAX = 1024

/**
 * Commits, exactly once, whatever member dies meanwhile.
 *
 * A request to etcd whose answer did not come may have been carried out, or may be carried out any time later: it cannot simply
 * be sent again, nor can one look whether it was. So each batch is one transaction that compares the fence **and the fence's
 * mark**, and puts the mark anew. A mark lists the names of the last ETCD_MARK_COMMITS commits under its fence, the newest first;
 * since names are never used twice, of all transactions that compare the same mark at most one is ever carried out.
 *
 * What is tried again, and why that is right: the very same transaction, at the next member, on every error that is not final.
 * - It succeeds: then no earlier attempt was carried out, and none will be, for the mark is another one now.
 * - It fails and the mark names this commit: an earlier attempt was carried out. Done.
 * - It fails and the mark is as it was: then it was the fence that did not hold, at no attempt; and it will not hold again, for
 *   no token comes back. Nothing was written.
 * - It fails and the mark names the commit that ours was to follow, but not ours: others committed under this fence, ours was
 *   not carried out and will not be. It is begun anew on the new mark, if the fence holds.
 * - It fails and the mark names neither: the outcome is unknown, and so says the error.
 *
 * Batches under one fence wait for each other (GroupCommit sends one at a time anyway); those under different ones do not.
 */
export class Commits {
  readonly #members: Pick<Members, 'call'>
  readonly #keys: EtcdKeys
  readonly #random: Random
  readonly #txnOperations: number
  /** Marks as they are if nobody else commits under the fence; empty: there is none. */
  readonly #marks = new LRUCache<string, Uint8Array>({ max: ETCD_MARKS_MAX })
  /** By fence, when the commit before is done. */
  readonly #tails = new Map<string, Promise<unknown>>()

  constructor(members: Pick<Members, 'call'>, keys: EtcdKeys, random: Random, txnOperations: number) {
    this.#members = members
    this.#keys = keys
    this.#random = random
    this.#txnOperations = txnOperations
  }

  /** @throws as {@link Engine.commit} */
  async commit(batch: EngineBatch): Promise<void> {
    const name = keyName(batch.fence.key)
    const done = (this.#tails.get(name) ?? Promise.resolve()).then(() => this.#commit(name, batch))
    const tail = done.catch(() => undefined)
    this.#tails.set(name, tail)
    try {
      await done
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name)
    }
  }

  async #commit(fenceName: string, batch: EngineBatch): Promise<void> {
    const markKey = this.#keys.mark(batch.fence.key)
    const operations = this.#operationsOf(batch)
    let mark = this.#marks.get(fenceName) ?? (await this.#read(markKey))
    // From here on the mark is only known again when the outcome is.
    this.#marks.delete(fenceName)
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const name = this.#random.bytes(NAME_BYTES)
      const following = concatBytes(name, mark.subarray(0, NAME_BYTES * (ETCD_MARK_COMMITS - 1)))
      const compare = [
        await this.#compareFence(batch.fence),
        compareValue(markKey, mark.length === 0 ? undefined : mark),
      ]
      const { found, sure } = await this.#send(batch, { compare, operations, markKey, following })
      if (found === 'unmarked') return
      if (found === undefined || names(found.mark, name)) {
        this.#marks.set(fenceName, found?.mark ?? following)
        return
      }
      if (!sure && compareBytes(found.mark, mark) !== 0 && !follows(found.mark, mark)) {
        throw new Error('etcd did not say whether it wrote a batch, and others have written since')
      }
      ;({ mark } = found)
      if (!fenceHolds(batch.fence, found.fence)) {
        this.#marks.set(fenceName, mark)
        throw new FencedError()
      }
    }
    throw new Error('others keep writing under the same fence; nothing was written')
  }

  /**
   * @returns `found`: what it found where it did not hold; `sure`: no attempt but the one that was answered can have been, or
   *   will be, carried out
   */
  async #send(
    batch: EngineBatch,
    { compare, operations, markKey, following }: Transaction,
  ): Promise<{ found: Found | 'unmarked' | undefined; sure: boolean }> {
    const failure = [getOf(this.#keys.data(batch.fence.key)), getOf(markKey)]
    const success = [putOf(markKey, following), ...nest(operations, 1, this.#txnOperations)]
    let sure = true
    try {
      const response = await this.#members.call(
        txnMethod,
        create(TxnRequestSchema, { compare, success, failure }),
        {
          onUnknown: () => {
            sure = false
          },
        },
      )
      return { found: foundBy(response), sure }
    } catch (error) {
      if (!(error instanceof EtcdError) || !sure) throw error
      if (error.kind === 'request-too-large') {
        throw new BatchTooLargeError('the ensemble takes no batch of this size', { cause: error })
      }
      if (error.kind !== 'no-space') throw error
      // Said of a transaction that was refused, and also of the first that was carried out beyond the quota.
      const done = names(await this.#read(markKey), following.subarray(0, NAME_BYTES))
      if (done) return { found: undefined, sure }
      if (batch.puts.length > 0) {
        throw new EngineFullError('the space of the etcd ensemble is used up', { cause: error })
      }
      // Past its quota etcd takes no put, so none of a mark. What only deletes goes without, as it is the way out. Carried out
      // twice it does no harm, and not at all once there was another commit: for the mark is compared.
      const deletes = create(TxnRequestSchema, {
        compare,
        success: nest(operations, 0, this.#txnOperations),
        failure,
      })
      return { found: foundBy(await this.#members.call(txnMethod, deletes)) ?? 'unmarked', sure }
    }
  }

  /** A large token, such as a whole map, is compared here, and in etcd the revision it was written at. @throws {FencedError} */
  async #compareFence({ key, token }: Fence): Promise<Compare> {
    const fenceKey = this.#keys.data(key)
    if (token === undefined || token.length <= TOKEN_BYTES_SENT_MAX) return compareValue(fenceKey, token)
    const { kvs } = await this.#members.call(rangeMethod, create(RangeRequestSchema, { key: fenceKey }))
    const [found] = kvs
    if (found === undefined || !fenceHolds({ key, token }, found.value)) throw new FencedError()
    return compareRevision(fenceKey, found.modRevision)
  }

  #operationsOf({ puts, deletes }: EngineBatch): RequestOp[] {
    return [
      ...puts.map(({ key, value }) => putOf(this.#keys.data(key), value)),
      ...deletes.map((key) => deleteOf(this.#keys.data(key))),
    ]
  }

  async #read(key: Uint8Array): Promise<Uint8Array> {
    const { kvs } = await this.#members.call(rangeMethod, create(RangeRequestSchema, { key }))
    return kvs[0]?.value ?? new Uint8Array()
  }
}

/**
 * Operations that a batch may have where --max-txn-ops is `txnOperations`. etcd counts the longest list of a transaction, and for
 * the transactions in that list has what is left, each for itself (`checkTxnRequest`, server/etcdserver/api/v3rpc/key.go, the
 * same from 3.3 to 3.6): so half of it transactions of half of it operations each.
 */
export function operationsWithin(txnOperations: number): number {
  return (nestedSize(txnOperations) - 1) * nestedSize(txnOperations)
}

/** The operations of a transaction, beside `others`: in transactions within it where there is no room for all of them. */
export function nest(operations: readonly RequestOp[], others: number, txnOperations: number): RequestOp[] {
  if (operations.length + others <= txnOperations) return [...operations]
  const size = nestedSize(txnOperations)
  const nested: RequestOp[] = []
  for (let at = 0; at < operations.length; at += size) {
    nested.push(txnOf(create(TxnRequestSchema, { success: operations.slice(at, at + size) })))
  }
  return nested
}

function nestedSize(txnOperations: number): number {
  return Math.floor(txnOperations / 2)
}

interface Transaction {
  readonly compare: Compare[]
  readonly operations: readonly RequestOp[]
  readonly markKey: Uint8Array
  /** The mark that it puts. */
  readonly following: Uint8Array
}

/** What a transaction found that did not hold. */
interface Found {
  readonly fence: Uint8Array | undefined
  readonly mark: Uint8Array
}

/** Undefined where all held. */
function foundBy({ succeeded, responses }: TxnResponse): Found | undefined {
  if (succeeded) return undefined
  const [fence, mark] = responses.map(({ response }) =>
    response.case === 'responseRange' ? response.value.kvs[0]?.value : undefined,
  )
  return { fence, mark: mark ?? new Uint8Array() }
}

function* namesIn(mark: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < mark.length; at += NAME_BYTES) yield mark.subarray(at, at + NAME_BYTES)
}

function names(mark: Uint8Array, name: Uint8Array): boolean {
  return namesIn(mark).some((one) => compareBytes(one, name) === 0)
}

/** Whether all commits since `before` are named in `mark`. */
function follows(mark: Uint8Array, before: Uint8Array): boolean {
  if (before.length === 0) return mark.length < NAME_BYTES * ETCD_MARK_COMMITS
  return names(mark, before.subarray(0, NAME_BYTES))
}
