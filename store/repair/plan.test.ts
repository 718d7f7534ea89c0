import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCode } from '../../core/erasure/code.ts'
import { sourcesFor } from '../../core/erasure/repair.ts'
import { planReads, proofsFor } from './plan.ts'

const code = fc.constantFrom('rs-4-2', 'rs-8-4', 'rs-2-3', 'rs-1-1', 'rs-3-0', 'replica-3').map(parseCode)

/** Each shard: wanted or not, and held, readable or away. */
const state = code.chain((chosen) =>
  fc.record({
    code: fc.constant(chosen),
    wanted: fc.subarray(Array.from({ length: chosen.total }, (_, i) => i)),
    where: fc.array(fc.constantFrom('held', 'readable', 'away'), {
      minLength: chosen.total,
      maxLength: chosen.total,
    }),
    order: fc.array(fc.nat(), { minLength: chosen.total, maxLength: chosen.total }),
  }),
)

test('a plan reads what can be read, makes all that can be made, and is done when nothing is left to read', () => {
  fc.assert(
    fc.property(state, ({ code: chosen, wanted, where, order }) => {
      const all = where.map((_, shard) => shard)
      const held = all.filter((shard) => where[shard] === 'held')
      const readable = all
        .filter((shard) => where[shard] === 'readable')
        .sort((a, b) => (order[a] ?? 0) - (order[b] ?? 0))
      const plan = planReads({ code: chosen, wanted, held, readable })
      assert.ok(plan.read.every((shard) => readable.includes(shard)))
      assert.equal(new Set(plan.read).size, plan.read.length)
      const missing = wanted.filter((shard) => !held.includes(shard))
      if (chosen.kind === 'replica') {
        assert.equal(plan.read.length, missing.length > 0 && held.length === 0 && readable.length > 0 ? 1 : 0)
        assert.equal(plan.hopeless.length > 0, missing.length > 0 && held.length + readable.length === 0)
        return
      }
      const inHand = [...held, ...plan.read]
      assert.ok(plan.sources.every((shard) => inHand.includes(shard)))
      // Each missing shard is copied, computed or hopeless, and only one of them.
      const copied = missing.filter((shard) => plan.read.includes(shard) && readable.includes(shard))
      assert.deepEqual(
        [...copied, ...plan.computed, ...plan.hopeless].sort((a, b) => a - b),
        missing,
      )
      assert.ok(plan.computed.length === 0 || sourcesFor(chosen, plan.computed, plan.sources) !== undefined)
      if (plan.hopeless.length > 0) assert.ok(held.length + readable.length < chosen.k)
      // No more is read than the copies, or what makes k together with what is in hand.
      const needed =
        plan.computed.length > 0 ? Math.max(chosen.k - held.length, copied.length) : copied.length
      assert.equal(plan.read.length, needed)
      const after = planReads({
        code: chosen,
        wanted,
        held: inHand,
        readable: readable.filter((shard) => !plan.read.includes(shard)),
      })
      assert.deepEqual(after.read, [])
      assert.deepEqual(after.computed, plan.computed)
    }),
    { numRuns: 2000 },
  )
})

test('every shard computed is proven by giving back one of the shards it came from', () => {
  for (const name of ['rs-4-2', 'rs-8-4', 'rs-2-3', 'rs-1-1', 'lrc-6-3-3']) {
    const chosen = parseCode(name)
    const all = Array.from({ length: chosen.total }, (_, shard) => shard)
    for (let first = 0; first < chosen.total; first++) {
      const computed = all.filter((shard) => (shard - first + chosen.total) % chosen.total < chosen.m)
      const sources = all.filter((shard) => !computed.includes(shard))
      const proofs = proofsFor(chosen, computed, sources)
      assert.equal(proofs.length, computed.length)
      for (const [i, { shard, from }] of proofs.entries()) {
        assert.ok(sources.includes(shard) && !from.includes(shard))
        const proven = computed[i] ?? assert.fail()
        assert.ok(from.includes(proven), `${name}: ${from.join()} does not prove ${proven}`)
        assert.ok(from.every((other) => other === proven || sources.includes(other)))
      }
    }
  }
})
