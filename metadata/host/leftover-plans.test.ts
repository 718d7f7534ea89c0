import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { holds } from '../../core/keyspace/partitions.ts'
import { type PartitionMap, PartitionMapSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { abandonPlan, beginMovePlan, endMovePlan, isInUse } from './leftover-plans.ts'
import { mergePlan, splitPlan, withOwners } from './map-plans.ts'

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f']
const ENGINES = ['one', 'two']

type Covered = Map<string, { readonly plain: boolean; readonly move: string }[]>

/** What of an engine is listed: by key and by outbox. */
function listed({ leftovers }: PartitionMap): Covered {
  const covered: Covered = new Map()
  const add = (name: string, partition: bigint, move: string): void => {
    covered.set(name, [...(covered.get(name) ?? []), { plain: partition === 0n, move }])
  }
  for (const { engine, start, end, outboxes, partition, move } of leftovers) {
    for (const key of ['', ...KEYS]) {
      const range = { id: 0, start: start ?? { bucket: '', key: '' }, end }
      if (holds(range, { bucket: '', key })) add(`${engine} key ${key}`, partition, move)
    }
    for (const outbox of outboxes) add(`${engine} outbox ${outbox}`, partition, move)
  }
  return covered
}

function apply(map: PartitionMap, changed: Partial<PartitionMap>): PartitionMap {
  const { $typeName: _, ...fields } = { ...map, ...changed }
  return create(PartitionMapSchema, fields)
}

test('whatever is moved, split, merged and given up: nothing is listed to be removed where a partition lies or is copied, and all else is', () => {
  const step = fc.record({
    what: fc.constantFrom('begin', 'end', 'split', 'merge', 'abandon', 'owner'),
    which: fc.nat(5),
    key: fc.constantFrom(...KEYS),
  })
  let done = 0
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let map = create(PartitionMapSchema, {
        version: 1n,
        nextId: 2n,
        partitions: [{ id: 1n, start: {}, engine: 'one', owner: 'me', outboxes: [1n] }],
      })
      /** Names of everything that was ever written, by engine. */
      const written = new Set(['', ...KEYS].map((key) => `one key ${key}`))
      written.add('one outbox 1')
      const moves = new Map<number, { from: string; to: string; move: string }>()
      let marks = 0
      for (const { what, which, key } of steps) {
        const entry = map.partitions[which % map.partitions.length]
        assert.ok(entry !== undefined)
        const id = Number(entry.id)
        const from = entry.engine
        try {
          if (what === 'begin') {
            const to = ENGINES.find((engine) => engine !== from) ?? ''
            const move = { id, owner: 'me', from, to, move: `move ${++marks}` }
            map = apply(map, beginMovePlan(move)(map))
            moves.set(id, move)
          } else if (what === 'end') {
            const move = moves.get(id)
            if (move !== undefined) map = apply(map, endMovePlan({ id, owner: 'me', ...move })(map))
          } else if (what === 'split') {
            // A partition that is copied is not split by whoever copies it.
            if (map.leftovers.some(({ move, partition }) => move !== '' && Number(partition) === id)) continue
            const half = map.nextId
            map = apply(map, splitPlan(id, { bucket: '', key }, 'me', half, 0)(map))
            map = apply(map, { nextId: half + 1n })
            written.add(`${from} outbox ${half}`)
          } else if (what === 'merge') {
            const right = map.partitions[map.partitions.indexOf(entry) + 1]
            if (right !== undefined) map = apply(map, mergePlan(id, Number(right.id), 'me', 0)(map))
          } else if (what === 'owner') map = apply(map, withOwners(map, new Map([[id, 'me']])))
          else {
            const one = map.leftovers[which]
            if (one !== undefined && one.move === '') map = apply(map, abandonPlan(one)(map))
          }
          done++
        } catch (error) {
          assert.match(String(error), /MetadataError/)
        }
        const covered = listed(map)
        for (const [name, entries] of covered) {
          written.add(name)
          assert.ok(entries.length === 1, `${name} is listed twice`)
        }
        const used = new Set<string>()
        for (const [index, { engine, start, outboxes }] of map.partitions.entries()) {
          const range = {
            id: 0,
            start: { bucket: '', key: start?.key ?? '' },
            end: map.partitions[index + 1]?.start,
          }
          for (const one of ['', ...KEYS]) {
            if (holds(range, { bucket: '', key: one })) used.add(`${engine} key ${one}`)
          }
          for (const outbox of outboxes) used.add(`${engine} outbox ${outbox}`)
        }
        for (const name of used) assert.equal(covered.get(name), undefined, `${name} is in use`)
        for (const name of written) assert.ok(used.has(name) || covered.has(name), `${name} is forgotten`)
        for (const one of map.leftovers) assert.ok(!isInUse(map, one))
      }
    }),
    { numRuns: 300 },
  )
  assert.ok(done > 100)
})
