import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Location } from '../index/shard-index.ts'
import { Tally } from './tally.ts'

const SEGMENT = 3
const END = 512 + 8 * 20

function place(slot: number, segment = SEGMENT): Location {
  return { segment, offset: 512 + 8 * slot, ownerBytes: 0, dataBytes: 0, sequence: 1 + slot }
}

const address = { group: 1, blob: '0'.repeat(32), stripe: 0, shard: 0 }

const step = fc.oneof(
  fc.record({ do: fc.constant('account' as const), slot: fc.nat(19) }),
  fc.record({ do: fc.constant('remove' as const), slot: fc.nat(29) }),
  fc.record({ do: fc.constant('append' as const), slot: fc.integer({ min: 20, max: 29 }) }),
  fc.record({ do: fc.constant('move' as const), slot: fc.nat(29) }),
  fc.record({ do: fc.constant('elsewhere' as const), slot: fc.nat(29) }),
)

test('whatever is removed, moved and appended meanwhile, it knows how many live shards are not accounted for', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(19)),
      fc.array(step, { maxLength: 60 }),
      fc.nat(3),
      (begin, steps, lost) => {
        const living = new Set(begin)
        const accounted = new Set<number>()
        const tally = new Tally(SEGMENT, END)
        for (const { do: what, slot } of steps) {
          const here = place(slot)
          if (what === 'account') {
            if (!living.has(slot)) continue
            tally.account(here.offset)
            accounted.add(slot)
          } else if (what === 'elsewhere') {
            tally.changed([{ address, before: place(slot, 2), after: place(slot, 4) }])
          } else if (what === 'append') {
            if (living.has(slot)) continue
            living.add(slot)
            tally.changed([{ address, before: place(slot, 2), after: here }])
          } else {
            if (!living.has(slot)) continue
            living.delete(slot)
            accounted.delete(slot)
            tally.changed([{ address, before: here, after: what === 'move' ? place(slot, 5) : undefined }])
          }
          for (let each = 0; each < 20; each++) {
            assert.equal(tally.has(place(each).offset), accounted.has(each))
          }
          // What the index counts but has lost is missing too.
          const missing = [...living].filter((each) => each < 20 && !accounted.has(each)).length
          assert.equal(tally.missing(living.size + lost), missing + lost)
        }
      },
    ),
  )
})
