import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type Code, parseCode } from '../erasure/code.ts'
import { shardsToSpare } from '../erasure/repair.ts'
import { spareCounts } from './group-risk.ts'

const BLOBS = 12
const codes = fc.constantFrom('rs-4-2', 'rs-2-1', 'replica-3', 'rs-8-4', 'lrc-6-3-3').map(parseCode)

/** For each shard index the blobs, by number, that lack it. */
type Lacking = readonly ReadonlySet<number>[]

/** Looked at blob by blob. */
function truth(code: Code, lacking: Lacking): Map<number, number> {
  const lines = new Map<number, number>()
  for (let blob = 0; blob < BLOBS; blob++) {
    const lacks = [...lacking.keys()].filter((shard) => lacking[shard]?.has(blob))
    const spare = shardsToSpare(code, lacks)
    lines.set(spare, (lines.get(spare) ?? 0) + 1)
  }
  return lines
}

function counted(code: Code, lacking: Lacking, filling: readonly boolean[]): Map<number, number> {
  return spareCounts(code, { blobs: BLOBS, missing: lacking.map((blobs) => blobs.size), filling })
}

/** Blobs with less than `spare` to spare. */
function below(lines: ReadonlyMap<number, number>, spare: number): number {
  let sum = 0
  for (const [line, blobs] of lines) if (line < spare) sum += blobs
  return sum
}

function sorted(lines: ReadonlyMap<number, number>): [number, number][] {
  return [...lines].sort(([a], [b]) => a - b)
}

function first(count: number): Set<number> {
  return new Set(Array.from({ length: count }, (_, blob) => blob))
}

/** What each shard index lacks: all, none, the first so many (being filled), or a set of its own. */
const lackingOf = (code: Code, kinds: readonly ('all' | 'none' | 'nested' | 'own')[]) =>
  fc
    .array(
      fc.record({
        kind: fc.constantFrom(...kinds),
        count: fc.nat(BLOBS),
        own: fc.uniqueArray(fc.nat(BLOBS - 1), { maxLength: 4 }),
      }),
      { minLength: code.total, maxLength: code.total },
    )
    .map((shards) => ({
      filling: shards.map(({ kind }) => kind === 'nested'),
      lacking: shards.map(({ kind, count, own }): Set<number> => {
        if (kind === 'all') return first(BLOBS)
        if (kind === 'nested') return first(count)
        return new Set(kind === 'own' ? own : [])
      }),
    }))

test('exact where nodes are down, and while slots are filled', () => {
  const example = codes.chain((code) =>
    lackingOf(code, ['all', 'none', 'none', 'none', 'nested']).map((lack) => ({ code, ...lack })),
  )
  fc.assert(
    fc.property(example, ({ code, lacking, filling }) => {
      assert.deepEqual(sorted(counted(code, lacking, filling)), sorted(truth(code, lacking)))
    }),
  )
})

test('blobs that are damaged, each once, on top of nodes that are down: exactly as many lack more than those', () => {
  // Each blob lacks at most one shard of those that are there.
  const example = codes.chain((code) =>
    fc.record({
      code: fc.constant(code),
      down: fc.uniqueArray(fc.nat(code.total - 1), { maxLength: 3 }),
      damage: fc.array(fc.option(fc.nat(code.total - 1)), { minLength: BLOBS, maxLength: BLOBS }),
    }),
  )
  fc.assert(
    fc.property(example, ({ code, down, damage }) => {
      const lacking = Array.from({ length: code.total }, (_, shard) =>
        down.includes(shard)
          ? first(BLOBS)
          : new Set([...damage.keys()].filter((blob) => damage[blob] === shard)),
      )
      const counts = counted(
        code,
        lacking,
        lacking.map(() => false),
      )
      const real = truth(code, lacking)
      if (code.local !== undefined) return
      // How many lack more than what is down: whether two damaged shards are of one blob, counts do not say.
      const spare = code.m - down.length
      assert.equal(below(counts, spare), below(real, spare))
      assert.equal(below(counts, spare + 1), BLOBS)
    }),
  )
})

test('never optimistic, whichever blobs lack what', () => {
  const example = codes.chain((code) =>
    lackingOf(code, ['all', 'none', 'none', 'nested', 'own', 'own']).map((lack) => ({ code, ...lack })),
  )
  fc.assert(
    fc.property(example, ({ code, lacking, filling }) => {
      const counts = counted(code, lacking, filling)
      const real = truth(code, lacking)
      assert.equal(below(counts, code.total + 1), BLOBS)
      for (let spare = -code.total; spare <= code.m; spare++) {
        assert.ok(
          below(counts, spare) >= below(real, spare),
          `${spare}: ${String(sorted(counts))} of ${String(sorted(real))}`,
        )
      }
    }),
    { numRuns: 500 },
  )
})

test('no blobs, no lines', () => {
  assert.deepEqual(
    [...spareCounts(parseCode('rs-4-2'), { blobs: 0, missing: [0, 0, 0, 0, 0, 0], filling: [] })],
    [],
  )
})
