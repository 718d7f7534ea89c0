import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Code, CodeNameError, localCode, parseCode, replicaCode, rsCode } from './code.ts'
import { multiply } from './gf256.ts'
import { generatorMatrix, planRecovery, TooFewShardsError } from './matrix.ts'
import * as reference from './reference.ts'
import { isReadable, localGroup, shardsToSpare, sourcesFor } from './repair.ts'

const SMALL = ['lrc-2-2-2', 'lrc-4-2-2', 'lrc-4-3-2', 'lrc-3-2-3', 'lrc-5-1-2', 'lrc-6-3-3'].map(parseCode)
const MIXED = [...SMALL, rsCode(4, 2), rsCode(3, 0), replicaCode(3), replicaCode(1)]

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** A list as text. */
const say = (list: readonly number[]): string => list.join(' ')

/** The numbers of the bits that are set. */
function setOf(bits: number): number[] {
  return upTo(32).filter((bit) => ((bits >>> bit) & 1) === 1)
}

/** Rank of rows over GF(2⁸), by textbook elimination and division by search: apart from what is tested. */
function rank(rows: readonly (readonly number[])[]): number {
  const work = rows.map((row) => [...row])
  let found = 0
  for (let column = 0; column < (rows[0]?.length ?? 0); column++) {
    const at = work.findIndex((row, i) => i >= found && row[column] !== 0)
    if (at < 0) continue
    const [pivot = []] = work.splice(at, 1)
    work.splice(found, 0, pivot)
    for (const row of work.slice(found + 1)) {
      const times = upTo(256).find((t) => multiply(t, pivot[column] ?? 0) === row[column]) ?? 0
      for (const [i, value] of pivot.entries()) row[i] = (row[i] ?? 0) ^ multiply(times, value)
    }
    found++
  }
  return found
}

/** For every set of lost shards, as bits, the rank of what is left. */
function ranksOf(code: Code): number[] {
  const generator = generatorMatrix(code)
  return upTo(1 << code.total).map((lost) =>
    rank(generator.filter((_, shard) => ((lost >>> shard) & 1) === 0)),
  )
}

test('names of locally repairable codes are read', () => {
  assert.deepEqual(
    { ...parseCode('lrc-6-3-3') },
    { name: 'lrc-6-3-3', kind: 'lrc', k: 6, m: 5, total: 12, local: { k: 6, l: 3, r: 3 } },
  )
  assert.equal(localCode({ k: 6, l: 3, r: 3 }), parseCode('lrc-6-3-3'))
  assert.ok(Object.isFrozen(parseCode('lrc-6-3-3')))
  const cases: readonly (readonly [string, RegExp])[] = [
    ['lrc-6-3', /expected rs-/],
    ['lrc-06-3-3', /expected rs-/],
    ['lrc-1-3-2', /at least two data shards/],
    ['lrc-6-0-3', /at least one local group/],
    ['lrc-6-3-0', /at least one global parity/],
    ['lrc-6-4-3', /6 \+ 3 data and global shards cannot be dealt evenly into 4 groups/],
    ['lrc-24-3-6', /33 shards a stripe; at most 32/],
    ['lrc-18-3-9', /too wide/],
  ]
  for (const [name, reason] of cases) {
    assert.throws(
      () => parseCode(name),
      (error) => error instanceof CodeNameError && error.given === name && reason.test(error.message),
      name,
    )
  }
})

for (const code of MIXED) {
  test(`${code.name}: what can be lost is what the ranks of all subsets of its generator say`, () => {
    const ranks = ranksOf(code)
    const readable = ranks.map((left) => left === code.k)
    // From the definition, largest sets of losses first: one less than the worst further loss leaves.
    const spare = ranks.map((left) => left - code.k)
    for (let lost = ranks.length - 1; lost >= 0; lost--) {
      if (readable[lost] !== true) continue
      const next = upTo(code.total).filter((shard) => ((lost >>> shard) & 1) === 0)
      const worst = Math.min(...next.map((shard) => spare[lost | (1 << shard)] ?? 0))
      spare[lost] = Math.max(0, worst + 1)
    }
    assert.equal(code.m, spare[0])
    for (const [lost, expected] of spare.entries()) {
      assert.equal(isReadable(code, setOf(lost)), readable[lost], `without ${say(setOf(lost))}`)
      assert.equal(shardsToSpare(code, setOf(lost)), expected, `without ${say(setOf(lost))}`)
    }
  })
}

test('the distance of codes too wide for that is the least weight of a dependency among their checks', () => {
  // Known of lrc-12-2-2 as of Azure's 12+2+2: any three. Of lrc-12-3-6 the bound is 8, which these coefficients miss by one.
  const known = { 'lrc-12-2-2': 3, 'lrc-8-3-4': 5, 'lrc-10-3-5': 6, 'lrc-12-3-6': 7, 'lrc-16-4-4': 5 }
  for (const [name, m] of Object.entries(known)) assert.equal(parseCode(name).m, m, name)
})

test('codes of up to 16 shards are all known, and read in a moment', () => {
  // Whatever the machine: without the search's pruning this takes minutes.
  for (let k = 2; k <= 14; k++) {
    for (let l = 1; k + l <= 15; l++) {
      for (let r = 1; k + l + r <= 16; r++) {
        if ((k + r) % l === 0) assert.equal(localCode({ k, l, r }).total, k + l + r)
      }
    }
  }
})

for (const name of [
  'lrc-4-3-2',
  'lrc-6-3-3',
  'lrc-8-3-4',
  'lrc-12-3-6',
  'lrc-2-2-2',
  'lrc-4-2-4',
  'lrc-9-4-3',
]) {
  test(`${name}: any local group can be lost, and on top of it any one shard`, () => {
    const code = parseCode(name)
    for (let group = 0; group < (code.local?.l ?? 0); group++) {
      const lost = localGroup(code, group) ?? assert.fail()
      assert.equal(isReadable(code, lost), true)
      assert.ok(shardsToSpare(code, lost) >= ((code.local?.l ?? 0) > 2 ? 1 : 0))
    }
  })
}

test('a group can be lost if and only if k is at most r (l - 1)', () => {
  for (const name of ['lrc-6-2-2', 'lrc-9-3-3', 'lrc-12-2-2', 'lrc-5-1-2', 'lrc-7-3-2']) {
    const code = parseCode(name)
    assert.equal(isReadable(code, localGroup(code, 0) ?? []), false, name)
  }
})

for (const code of SMALL) {
  test(`${code.name}: sources are the fewest, and the earliest, for one and two wanted shards of any that are left`, () => {
    const generator = generatorMatrix(code)
    const spans = (sources: readonly number[], wanted: readonly number[]): boolean => {
      const rows = sources.map((shard) => generator[shard] ?? [])
      return rank([...rows, ...wanted.map((shard) => generator[shard] ?? [])]) === rank(rows)
    }
    const step = code.total > 6 ? 7 : 1
    for (let lost = 1; lost < 1 << code.total; lost += step) {
      const missing = setOf(lost)
      const available = upTo(code.total).filter((shard) => !missing.includes(shard))
      for (const wanted of [missing.slice(0, 1), missing.slice(-2)]) {
        const sources = sourcesFor(code, wanted, available)
        if (sources === undefined) {
          assert.equal(spans(available, wanted), false, `${say(wanted)} of ${say(available)}`)
          continue
        }
        assert.ok(sources.every((shard) => available.includes(shard)))
        assert.ok(spans(sources, wanted), `${say(wanted)} of ${say(sources)}`)
        assert.ok(
          sources.length <= code.k || sources.length <= wanted.length * (localGroup(code, 0)?.length ?? 0),
        )
        if (code.total > 9) continue
        const fewest = upTo(1 << code.total)
          .filter((bits) => (bits & lost) === 0)
          .map(setOf)
          .filter((set) => set.length < sources.length)
        for (const set of fewest) {
          assert.equal(spans(set, wanted), false, `${say(wanted)} of ${say(set)}, not ${say(sources)}`)
        }
      }
    }
  })
}

test('one lost shard of a group is read from its group alone', () => {
  const code = parseCode('lrc-6-3-3')
  assert.deepEqual(localGroup(code, 1), [1, 4, 7, 10])
  assert.equal(localGroup(rsCode(4, 2), 1), undefined)
  for (const shard of upTo(12)) {
    const others = upTo(12).filter((other) => other !== shard)
    const group = localGroup(code, shard)?.filter((other) => other !== shard)
    assert.deepEqual(
      sourcesFor(code, [shard], others.toReversed())?.toSorted((a, b) => a - b),
      group,
    )
    assert.deepEqual(planRecovery(code, others, [shard]), { sources: group, rows: [[1, 1, 1]] })
  }
})

test('two lost shards of a group take k others, by preference, and skip those that say nothing new', () => {
  const code = parseCode('lrc-6-3-3')
  assert.deepEqual(sourcesFor(code, [0], [11, 10, 9, 8, 7, 6, 5, 4, 2, 1]), [11, 10, 9, 8, 7, 6])
  // 2, 5 and 8 make up 11.
  assert.deepEqual(sourcesFor(code, [0], [2, 5, 8, 11, 1, 4, 9]), [2, 5, 8, 1, 4, 9])
  assert.equal(sourcesFor(code, [0], [2, 5, 8, 11, 1, 4]), undefined)
})

test('shards at hand cost nothing', () => {
  const code = parseCode('lrc-6-3-3')
  const others = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
  // All the other data is being read: one more is less than the two that lack of the group.
  assert.equal(sourcesFor(code, [0], others, [1, 2, 3, 4, 5])?.length, 6)
  assert.deepEqual(sourcesFor(code, [0], others, [1, 3])?.toSorted(), [3, 6, 9])
  assert.deepEqual(sourcesFor(rsCode(4, 2), [0], [1, 2, 3, 4, 5], [5]), [5, 1, 2, 3])
})

for (const code of SMALL) {
  test(`${code.name}: every loss that can be restored is, bit by bit, and no other`, () => {
    const data = upTo(code.k).map((i) => Uint8Array.of(i + 1, 37 * i, 255 - i))
    const shards = [...data, ...reference.encode(code, data)]
    assert.equal(reference.verify(code, shards), true)
    for (let lost = 0; lost < 1 << code.total; lost += code.total > 9 ? 3 : 1) {
      const holes = shards.map((shard, i) => (((lost >>> i) & 1) === 0 ? shard : undefined))
      if (isReadable(code, setOf(lost))) assert.deepEqual(reference.reconstruct(code, holes), shards)
      else assert.throws(() => reference.reconstruct(code, holes), TooFewShardsError)
    }
  })
}

test('of any code, recoveries come from what is given and give back what was lost', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('lrc-12-3-6', 'lrc-8-3-4', 'lrc-12-2-2', 'lrc-16-4-4', 'lrc-6-3-3').map(parseCode),
      fc.nat(),
      fc.integer({ min: 0, max: 12 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      (code, seed, losses, bytes) => {
        const data = upTo(code.k).map((i) => Uint8Array.of(bytes[i] ?? 0))
        const shards = [...data, ...reference.encode(code, data)]
        const order = upTo(code.total).toSorted(
          (a, b) => Math.imul(seed + a, 2654435761) - Math.imul(seed + b, 2654435761),
        )
        const lost = order.slice(0, losses)
        const holes = shards.map((shard, i) => (lost.includes(i) ? undefined : shard))
        assert.ok(losses > code.m || isReadable(code, lost))
        if (isReadable(code, lost)) assert.deepEqual(reference.reconstruct(code, holes), shards)
      },
    ),
    { numRuns: 300 },
  )
})
