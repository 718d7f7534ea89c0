import assert from 'node:assert/strict'
import { it } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import fc from 'fast-check'
import {
  type Compare,
  RangeRequestSchema,
  type RangeResponse,
  RangeResponseSchema,
  type RequestOp,
  type ResponseOp,
  ResponseOpSchema,
  type TxnRequest,
  TxnRequestSchema,
  type TxnResponse,
  TxnResponseSchema,
} from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { FencedError } from '../engine.ts'
import { Commits } from './commits.ts'
import { EtcdError } from './errors.ts'
import { EtcdKeys } from './keys.ts'
import type { Members } from './members.ts'

/** What becomes of one attempt at a transaction. */
type Fate =
  | 'answered'
  | 'lost before it was carried out'
  | 'lost after'
  | 'carried out later'
  | 'given up'
  | 'others commit meanwhile'
  | 'others commit often meanwhile'
  | 'others take over meanwhile'

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** An ensemble in memory. */
class Store {
  readonly data = new Map<string, { value: Uint8Array; revision: bigint }>()
  /** Transactions that nobody waits for any more, and that come yet. */
  readonly late: TxnRequest[] = []
  /** Times that each value was put. */
  readonly puts = new Map<string, number>()
  #revision = 1n

  range(key: Uint8Array): RangeResponse {
    const found = this.data.get(text(key))
    const kvs = found === undefined ? [] : [{ key, value: found.value, modRevision: found.revision }]
    return create(RangeResponseSchema, { kvs, count: BigInt(kvs.length) })
  }

  carryOut({ compare, success, failure }: TxnRequest): TxnResponse {
    const succeeded = compare.every((one) => this.#holds(one))
    this.#revision++
    const responses = (succeeded ? success : failure).map((one) => this.#apply(one))
    return create(TxnResponseSchema, { succeeded, responses })
  }

  deliver(): void {
    const late = this.late.shift()
    if (late !== undefined) this.carryOut(late)
  }

  #holds({ key, targetUnion }: Compare): boolean {
    const found = this.data.get(text(key))
    if (targetUnion.case === 'value') {
      return found !== undefined && text(found.value) === text(targetUnion.value)
    }
    if (targetUnion.case === 'createRevision') return found === undefined
    if (targetUnion.case === 'modRevision') return (found?.revision ?? 0n) === targetUnion.value
    throw new Error('not used')
  }

  #apply({ request }: RequestOp): ResponseOp {
    if (request.case === 'requestRange') {
      const value = this.range(request.value.key)
      return create(ResponseOpSchema, { response: { case: 'responseRange', value } })
    }
    if (request.case === 'requestPut') {
      const { key, value } = request.value
      this.data.set(text(key), { value, revision: this.#revision })
      this.puts.set(text(value), (this.puts.get(text(value)) ?? 0) + 1)
    } else if (request.case === 'requestDeleteRange') this.data.delete(text(request.value.key))
    return create(ResponseOpSchema)
  }
}

/** Calls one ensemble, with a fate for each attempt. */
function membersOf(
  store: Store,
  nextFate: () => Fate,
  meanwhile: (fate: Fate) => Promise<void> = async () => undefined,
): Pick<Members, 'call'> {
  return {
    async call(method, request, { onUnknown } = {}) {
      await Promise.resolve()
      if (method.path.endsWith('/Range')) {
        const { key } = fromBinary(RangeRequestSchema, method.write(request))
        return method.read(toBinary(RangeResponseSchema, store.range(key)))
      }
      const txn = fromBinary(TxnRequestSchema, method.write(request))
      for (;;) {
        const fate = nextFate()
        if (fate === 'answered') return method.read(toBinary(TxnResponseSchema, store.carryOut(txn)))
        if (fate.startsWith('others')) {
          await meanwhile(fate)
          continue
        }
        onUnknown?.()
        if (fate === 'lost after') store.carryOut(txn)
        if (fate === 'carried out later') store.late.push(txn)
        if (fate === 'given up') throw new EtcdError('request timed out', status.UNAVAILABLE, 'unknown')
      }
    },
  }
}

const keys = new EtcdKeys('p/')
const fenceKey = Uint8Array.of(2, 1)
const key = Uint8Array.of(20, 1)

const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>('answered'), weight: 5 },
  {
    arbitrary: fc.constantFrom<Fate>(
      'lost before it was carried out',
      'lost after',
      'carried out later',
      'given up',
      'others commit meanwhile',
      'others commit often meanwhile',
      'others take over meanwhile',
    ),
    weight: 5,
  },
)

const step = fc.record({
  owner: fc.nat(1),
  /** Takes the fence over first. */
  take: fc.oneof({ arbitrary: fc.constant(false), weight: 4 }, { arbitrary: fc.constant(true), weight: 1 }),
  /** Of two, so that some fences are compared by their revision. */
  longToken: fc.boolean(),
  /** Late transactions that are carried out before. */
  deliver: fc.nat(2),
})

it('carries out what is acknowledged once, what is fenced out never, and nothing twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.array(fate), async (steps, fates) => {
      const store = new Store()
      const left = [...fates]
      const others = new Commits(
        membersOf(store, () => 'answered'),
        keys,
        systemRandom,
        128,
      )
      let meanwhiles = 0
      async function meanwhile(what: Fate): Promise<void> {
        const times = what === 'others commit often meanwhile' ? 9 : 1
        for (let time = 0; time < times; time++) {
          const token = store.data.get(text(keys.data(fenceKey)))?.value
          const value = Buffer.from(`meanwhile ${meanwhiles++}`)
          const put = what === 'others take over meanwhile' ? fenceKey : Uint8Array.of(20, 2)
          await others.commit({ fence: { key: fenceKey, token }, puts: [{ key: put, value }], deletes: [] })
        }
      }
      const members = membersOf(store, () => left.shift() ?? 'answered', meanwhile)
      const owners = [0, 1].map(() => new Commits(members, keys, systemRandom, 128))
      const tokens: (Uint8Array | undefined)[] = [undefined, undefined]
      const outcomes: { value: string; outcome: 'done' | 'fenced' | 'unknown' }[] = []

      async function commit(
        owner: number,
        token: Uint8Array | undefined,
        put: Uint8Array,
        value: Uint8Array,
      ) {
        const before = meanwhiles
        try {
          await owners[owner]?.commit({
            fence: { key: fenceKey, token },
            puts: [{ key: put, value }],
            deletes: [],
          })
          const found = store.data.get(text(keys.data(put)))
          if (before === meanwhiles) assert.equal(text(found?.value ?? new Uint8Array()), text(value))
          outcomes.push({ value: text(value), outcome: 'done' })
          return true
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error
          outcomes.push({ value: text(value), outcome: error instanceof FencedError ? 'fenced' : 'unknown' })
          return false
        }
      }

      for (const [index, { owner, take, longToken, deliver }] of steps.entries()) {
        for (let count = 0; count < deliver; count++) store.deliver()
        if (take) {
          const held = store.data.get(text(keys.data(fenceKey)))?.value
          const token = Buffer.from(`token ${index}`.padEnd(longToken ? 2000 : 1))
          if (await commit(owner, held, fenceKey, token)) tokens[owner] = token
        } else {
          await commit(owner, tokens[owner], key, Buffer.from(`value ${index}`))
        }
      }
      while (store.late.length > 0) store.deliver()
      for (const { value, outcome } of outcomes) {
        const times = store.puts.get(value) ?? 0
        if (outcome === 'done') assert.equal(times, 1, value)
        else if (outcome === 'fenced') assert.equal(times, 0, value)
        else assert.ok(times <= 1, value)
      }
    }),
    { numRuns: 300 },
  )
})

it('finds out what became of a commit whose answers were lost', async () => {
  const store = new Store()
  const fates: Fate[] = ['lost after', 'answered', 'carried out later', 'answered', 'answered']
  const commits = new Commits(
    membersOf(store, () => fates.shift() ?? 'answered'),
    keys,
    systemRandom,
    128,
  )
  for (const value of ['1', '2', '3']) {
    await commits.commit({
      fence: { key: fenceKey, token: undefined },
      puts: [{ key, value: Buffer.from(value) }],
      deletes: [],
    })
  }
  store.deliver()
  assert.equal(text(store.data.get(text(keys.data(key)))?.value ?? new Uint8Array()), '3')
  assert.deepEqual(
    [...store.puts.entries()].filter(([, times]) => times > 1),
    [],
  )
})
