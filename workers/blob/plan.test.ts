import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCode } from '../../core/erasure/code.ts'
import { isReadable } from '../../core/erasure/repair.ts'
import { isWhole, planBlob, type HeldShard, type Situation } from './plan.ts'

const NODES = Array.from({ length: 10 }, (_, i) => `n${i}`)

/** A blob whose shards lie anywhere, on nodes of which some are away or full, with slots of which some move. */
const situations = fc
  .record({
    name: fc.constantFrom('rs-4-2', 'rs-2-1', 'replica-3', 'lrc-6-3-3'),
    stripes: fc.integer({ min: 1, max: 3 }),
  })
  .chain(({ name, stripes }) => {
    const code = parseCode(name)
    const node = fc.constantFrom(...NODES)
    const slot = fc.record({
      node,
      source: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: node }),
    })
    const held = fc.record({
      node,
      stripe: fc.nat(stripes),
      shard: fc.nat(code.total - 1),
      bytes: fc.constant(4096),
      damaged: fc.boolean(),
    })
    return fc
      .record({
        slots: fc.array(slot, { minLength: code.total, maxLength: code.total }),
        held: fc.array(held, { maxLength: 3 * code.total * stripes }),
        onSlots: fc.array(fc.boolean(), {
          minLength: code.total * stripes,
          maxLength: code.total * stripes,
        }),
        away: fc.subarray(NODES, { maxLength: 4 }),
        full: fc.subarray(NODES, { maxLength: 2 }),
      })
      .map(({ slots, held: strewn, onSlots, away, full }): Situation => {
        const placed = onSlots.flatMap((there, i): HeldShard[] => {
          const shard = i % code.total
          const at = slots[shard]?.node ?? ''
          const stripe = Math.floor(i / code.total)
          return there ? [{ node: at, stripe, shard, bytes: 4096, damaged: false }] : []
        })
        const listed = new Set(NODES.filter((id) => !away.includes(id)))
        const unique = new Map(
          [...strewn, ...placed].map((one) => [`${one.node}/${one.stripe}/${one.shard}`, one]),
        )
        return {
          code,
          stripes,
          slots: slots.map((one) => ({ ...one, filling: one.source !== '', since: 0n })),
          held: [...unique.values()].filter(({ node: at }) => listed.has(at)),
          listed,
          writable: (id) => listed.has(id) && !full.includes(id),
        }
      })
  })

const has = ({ held }: Situation, node: string, stripe: number, shard: number): boolean =>
  held.some((one) => one.node === node && one.stripe === stripe && one.shard === shard && !one.damaged)

test('what is wanted lacks where it belongs, can be made, and is put where it belongs; nothing else is called missing', () => {
  fc.assert(
    fc.property(situations, (situation) => {
      const { code, stripes, slots } = situation
      const plan = planBlob(situation)
      let lacking = 0
      for (let stripe = 0; stripe < stripes; stripe++) {
        const anywhere = slots.flatMap((_, shard) =>
          NODES.some((node) => has(situation, node, stripe, shard)) ? [shard] : [],
        )
        const lost = slots.flatMap((_, shard) => (anywhere.includes(shard) ? [] : [shard]))
        const wanted = plan.rebuild.find((one) => one.stripe === stripe)?.wanted ?? new Map<number, string>()
        for (const [shard, { node }] of slots.entries()) {
          if (has(situation, node, stripe, shard)) {
            assert.ok(!wanted.has(shard))
            continue
          }
          lacking++
          assert.ok(plan.missing.has(shard))
          const target = wanted.get(shard)
          if (target === undefined) continue
          assert.equal(target, node)
          assert.ok(situation.listed.has(node) && situation.writable(node))
          if (isReadable(code, lost)) continue
          const others = lost.filter((one) => one !== shard)
          assert.ok(
            anywhere.includes(shard) || isReadable(code, others) || code.local !== undefined,
            'a copy of it, or what makes it, is there',
          )
        }
        for (const node of wanted.keys()) assert.ok(!has(situation, slots[node]?.node ?? '', stripe, node))
      }
      const wantedCount = plan.rebuild.reduce((sum, { wanted }) => sum + wanted.size, 0)
      assert.equal(wantedCount + plan.waiting, lacking)
      assert.equal(plan.missing.size === 0, lacking === 0)
    }),
  )
})

test('extras are never where a shard belongs or is read from, and every other shard is one', () => {
  fc.assert(
    fc.property(situations, (situation) => {
      const { extras } = planBlob(situation)
      for (const one of situation.held) {
        const slot = situation.slots[one.shard]
        const belongs =
          slot !== undefined &&
          one.stripe < situation.stripes &&
          (one.node === slot.node || one.node === slot.source)
        assert.equal(extras.includes(one), !belongs)
      }
    }),
  )
})

test('sources are sound and those of slots come first; a plan carried out leaves nothing that could be done', () => {
  fc.assert(
    fc.property(situations, (situation) => {
      const plan = planBlob(situation)
      const { slots } = situation
      for (const { stripe, sources } of plan.rebuild) {
        for (const [shard, nodes] of sources) {
          for (const node of nodes) assert.ok(has(situation, node, stripe, shard))
          const home = slots[shard]?.node ?? ''
          if (nodes.includes(home)) assert.equal(nodes[0], home)
        }
      }
      const made = plan.rebuild.flatMap(({ stripe, wanted }) =>
        [...wanted].map(([shard, node]) => ({ node, stripe, shard, bytes: 4096, damaged: false })),
      )
      const key = (one: HeldShard): string => `${one.node}/${one.stripe}/${one.shard}`
      const after = new Map(situation.held.map((one) => [key(one), one]))
      for (const one of made) after.set(key(one), one)
      const next = planBlob({ ...situation, held: [...after.values()] })
      assert.deepEqual(next.rebuild, [])
      assert.equal(next.waiting, plan.waiting)
      assert.ok(next.spare >= plan.spare)
      if (plan.waiting > 0) return
      // And once the extras are gone, it is whole.
      const left = [...after.values()].filter((one) => !next.extras.includes(one))
      assert.ok(isWhole(planBlob({ ...situation, held: left })))
    }),
  )
})
