import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { compareBytes } from '../../../core/keyspace/bytes.ts'
import type { EngineEntry } from '../engine.ts'
import { ScanCursor } from './scan-cursor.ts'
import { isSignpost } from './signposts.ts'

/** Any key may be hinted at, right or wrong. */
function hints(posts: readonly Uint8Array[]): ConstructorParameters<typeof ScanCursor>[1] {
  const sorted = posts.toSorted(compareBytes)
  return {
    after: ({ gte, lt }) => {
      const post = sorted.find((one) => compareBytes(one, gte) > 0)
      return post !== undefined && compareBytes(post, lt) < 0 ? post : lt
    },
    before: ({ gte, lt }) => {
      const post = sorted.findLast((one) => compareBytes(one, lt) < 0)
      return post !== undefined && compareBytes(post, gte) > 0 ? post : gte
    },
  }
}

it('finds what is there, however stretches are hinted at and answers are cut', () => {
  const key = fc.uint8Array({ maxLength: 2, max: 8 })
  fc.assert(
    fc.property(
      fc.uniqueArray(key, { selector: String }),
      fc.array(key),
      key,
      key,
      fc.nat(12),
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      (keys, posts, gte, lt, limit, reverse, answerMax) => {
        const all = keys
          .toSorted(compareBytes)
          .filter((one) => compareBytes(gte, one) <= 0 && compareBytes(one, lt) < 0)
        const cursor = new ScanCursor({ gte, lt, limit, reverse }, hints(posts))
        for (let { stretch } = cursor; stretch !== undefined; { stretch } = cursor) {
          const { gte: from, lt: to, limit: most } = stretch
          assert.ok(most >= 1 && compareBytes(gte, from) <= 0 && compareBytes(to, lt) <= 0)
          if (most > answerMax) {
            assert.ok(cursor.halve())
            continue
          }
          const inside = all.filter((one) => compareBytes(from, one) <= 0 && compareBytes(one, to) < 0)
          const ordered = reverse ? inside.toReversed() : inside
          const found = ordered
            .slice(0, most)
            .map((one): EngineEntry => ({ key: one, value: new Uint8Array() }))
          cursor.took(stretch, found, ordered.length > most)
        }
        const wanted = (reverse ? all.toReversed() : all).slice(0, limit)
        assert.deepEqual(
          cursor.entries.map((entry) => entry.key),
          wanted,
        )
      },
    ),
    { numRuns: 500 },
  )
})

it('gives up halving at one entry', () => {
  const cursor = new ScanCursor({ gte: Uint8Array.of(0), lt: Uint8Array.of(9), limit: 3 }, hints([]))
  assert.deepEqual([cursor.halve(), cursor.halve(), cursor.halve()], [true, true, false])
})

it('takes about one key in 256 for a signpost, whatever the keys look like', () => {
  for (const name of [(n: number) => `photos/2024/${n}.jpg`, (n: number) => String(n).padStart(12, '0')]) {
    let posts = 0
    for (let n = 0; n < 100_000; n++) if (isSignpost(Buffer.from(name(n)))) posts++
    assert.ok(posts > 310 && posts < 470, String(posts))
  }
})
