import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Code, parseCode, replicaCode, rsCode } from './code.ts'
import { createKernel, hasRelaxedSimd, type Kernel } from './kernel.ts'
import { TooFewShardsError } from './matrix.ts'
import { createStripeMemory, shardOffsets, shardStride, slotBytes } from './memory.ts'
import * as reference from './reference.ts'

/** Bytes around and between shards that nothing may write. */
const GUARD = 0xa5
const MARGIN = 64

const modes = hasRelaxedSimd() ? [true, false] : [false]

const codes = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 32 }), fc.integer({ min: 0, max: 31 }))
    .filter(([k, m]) => k + m <= 32)
    .map(([k, m]) => rsCode(k, m)),
  fc.integer({ min: 1, max: 5 }).map(replicaCode),
)

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 80 }),
  fc.integer({ min: 0, max: 3000 }),
  fc.constantFrom(4096, 4097, 8191, 12_288),
)

/** Deterministic bytes that look random: a linear congruential generator (Numerical Recipes). */
function noise(length: number, seed: number): Uint8Array {
  let state = seed >>> 0
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

interface Bench {
  readonly kernel: Kernel
  readonly bytes: Uint8Array
  readonly offsets: number[]
  /** What every shard must be. */
  readonly expected: reference.Shard[]
  readonly size: number
}

/** A stripe in guarded memory with its data shards written, and the oracle's answer. */
function bench(
  code: Code,
  size: number,
  seed: number,
  options: { relaxed: boolean; shared?: boolean },
): Bench {
  const stride = shardStride(size)
  const memory = createStripeMemory(2 * MARGIN + slotBytes(code, size), { shared: options.shared ?? true })
  const bytes = new Uint8Array(memory.buffer).fill(GUARD)
  // An odd start: nothing may depend on alignment.
  const offsets = shardOffsets(code, MARGIN + (seed % 17), stride)
  const data = Array.from({ length: code.k }, (_, i) => noise(size, seed + i))
  for (const [i, shard] of data.entries()) bytes.set(shard, offsets[i])
  const expected = [...data, ...reference.encode(code, data)]
  return { kernel: createKernel(code, memory, options), bytes, offsets, expected, size }
}

/** Memory as it must be when the shards `known` hold what they should and nothing else was written. */
function image(b: Bench, known: readonly number[]): Uint8Array {
  const wanted = new Uint8Array(b.bytes.length).fill(GUARD)
  for (const shard of known) wanted.set(b.expected[shard] ?? assert.fail(), b.offsets[shard])
  return wanted
}

function assertImage(b: Bench, known: readonly number[]): void {
  // Buffer.compare on plain arrays is what makes thousands of comparisons quick; deepEqual then says where they differ.
  if (Buffer.compare(b.bytes, image(b, known)) !== 0) assert.deepEqual(b.bytes, image(b, known))
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

function wipe(b: Bench, shards: readonly number[]): void {
  for (const shard of shards) b.bytes.fill(GUARD, b.offsets[shard], (b.offsets[shard] ?? 0) + b.size)
}

/** Every set of at most `most` of 0 … n-1. */
function subsets(n: number, most: number): number[][] {
  const found: number[][] = []
  for (let bits = 0; bits < 1 << n; bits++) {
    const set = upTo(n).filter((i) => ((bits >> i) & 1) === 1)
    if (set.length <= most) found.push(set)
  }
  return found
}

test('relaxed SIMD is there on the engine this project runs on', () => {
  assert.equal(hasRelaxedSimd(), true)
})

for (const relaxed of modes) {
  test(`encode equals the oracle and writes nothing else (relaxed ${relaxed})`, () => {
    fc.assert(
      fc.property(codes, sizes, fc.nat(), fc.boolean(), (code, size, seed, shared) => {
        const b = bench(code, size, seed, { relaxed, shared })
        b.kernel.encode(b.offsets, size)
        assertImage(b, upTo(code.total))
        assert.equal(b.kernel.verify(b.offsets, size), true)
      }),
      { numRuns: 300 },
    )
  })

  test(`any losses up to m are restored, and nothing else is written (relaxed ${relaxed})`, () => {
    fc.assert(
      fc.property(codes, sizes, fc.nat(), (code, size, seed) => {
        const b = bench(code, size, seed, { relaxed })
        b.kernel.encode(b.offsets, size)
        // A shuffle of the shards.
        const keys = noise(code.total, seed)
        const order = upTo(code.total).toSorted((x, y) => (keys[x] ?? 0) - (keys[y] ?? 0))
        const lost = order.slice(0, seed % (code.m + 1))
        // Some of the lost are wanted, the rest stay lost.
        const wanted = lost.slice(0, seed % (lost.length + 1))
        wipe(b, lost)
        const available = order.slice(lost.length)
        b.kernel.reconstruct(b.offsets, available, wanted, size)
        assertImage(b, [...available, ...wanted])
      }),
      { numRuns: 300 },
    )
  })

  test(`every loss pattern of every small code is restored (relaxed ${relaxed})`, () => {
    for (let total = 1; total <= 8; total++) {
      for (let k = 1; k <= total; k++) {
        const code = rsCode(k, total - k)
        // One overlapping tail: 16 + 5 bytes.
        const b = bench(code, 21, total * 8 + k, { relaxed })
        b.kernel.encode(b.offsets, b.size)
        for (const lost of subsets(total, code.m)) {
          wipe(b, lost)
          const available = upTo(total).filter((shard) => !lost.includes(shard))
          b.kernel.reconstruct(b.offsets, available, lost, b.size)
          assertImage(b, upTo(total))
        }
      }
    }
  })

  test(`verify sees any one flipped bit of any shard, and of nothing else (relaxed ${relaxed})`, () => {
    for (const [code, size] of [
      [parseCode('rs-4-2'), 37],
      [parseCode('rs-3-9'), 18],
      [parseCode('rs-2-1'), 7],
      [parseCode('replica-3'), 16],
    ] as const) {
      const b = bench(code, size, 3, { relaxed })
      b.kernel.encode(b.offsets, size)
      for (const offset of b.offsets) {
        for (let at = -1; at <= size; at++) {
          const inside = at >= 0 && at < size
          const place = offset + at
          b.bytes[place] = (b.bytes[place] ?? 0) ^ (1 << (place & 7))
          assert.equal(b.kernel.verify(b.offsets, size), !inside, `${code.name}: byte ${at}`)
          b.bytes[place] = (b.bytes[place] ?? 0) ^ (1 << (place & 7))
        }
      }
    }
  })
}

test('any shard agrees with any k others, and with none of its bits flipped; nothing is written', () => {
  for (const [code, size] of [
    [parseCode('rs-4-2'), 37],
    [parseCode('rs-2-3'), 18],
  ] as const) {
    const b = bench(code, size, 3, { relaxed: modes[0] ?? false })
    b.kernel.encode(b.offsets, size)
    for (const shard of upTo(code.total)) {
      const others = upTo(code.total).filter((other) => other !== shard)
      for (const left of subsets(others.length, code.m - 1)) {
        const sources = others.filter((_, i) => !left.includes(i)).slice(0, code.k)
        assert.ok(b.kernel.agrees(b.offsets, sources, [shard], size))
        for (const touched of upTo(code.total)) {
          const place = (b.offsets[touched] ?? 0) + (touched % size)
          b.bytes[place] = (b.bytes[place] ?? 0) ^ 4
          const concerned = touched === shard || sources.includes(touched)
          assert.equal(b.kernel.agrees(b.offsets, sources, [shard], size), !concerned)
          b.bytes[place] = (b.bytes[place] ?? 0) ^ 4
        }
      }
    }
    assertImage(b, upTo(code.total))
  }
})

test('a part of the shards is reconstructed by shifted offsets', () => {
  const code = parseCode('rs-4-2')
  const b = bench(code, 5000, 11, { relaxed: modes[0] ?? false })
  b.kernel.encode(b.offsets, 5000)
  b.bytes.fill(0, b.offsets[1], (b.offsets[1] ?? 0) + 5000)
  const from = 1234
  const length = 777
  b.kernel.reconstruct(
    b.offsets.map((offset) => offset + from),
    [0, 2, 3, 4, 5],
    [1],
    length,
  )
  const restored = new Uint8Array(5000)
  restored.set((b.expected[1] ?? assert.fail()).subarray(from, from + length), from)
  assert.deepEqual(b.bytes.slice(b.offsets[1], (b.offsets[1] ?? 0) + 5000), restored)
})

test('more loss patterns than are remembered give right answers, the early ones again', () => {
  const code = parseCode('rs-6-4')
  const b = bench(code, 33, 5, { relaxed: modes[0] ?? false })
  b.kernel.encode(b.offsets, b.size)
  const patterns = subsets(code.total, code.m)
  assert.ok(patterns.length > 300)
  for (const lost of [...patterns, ...patterns.slice(0, 20)]) {
    wipe(b, lost)
    const available = upTo(code.total).filter((shard) => !lost.includes(shard))
    b.kernel.reconstruct(b.offsets, available, lost, b.size)
    assertImage(b, upTo(code.total))
  }
})

test('the same shard is restored from every set of k others in turn', () => {
  const code = parseCode('rs-4-3')
  const b = bench(code, 50, 9, { relaxed: modes[0] ?? false })
  b.kernel.encode(b.offsets, b.size)
  for (const rest of subsets(code.total, code.k)) {
    if (rest.length !== code.k || rest.includes(2)) continue
    const others = upTo(code.total).filter((shard) => !rest.includes(shard))
    // What is not read must not matter: the shards not in the set hold garbage.
    wipe(b, others)
    b.kernel.reconstruct(b.offsets, rest, [2], b.size)
    assertImage(b, [...rest, 2])
    for (const shard of others) b.bytes.set(b.expected[shard] ?? assert.fail(), b.offsets[shard])
  }
})

test('two kernels over one shared memory do not disturb each other', () => {
  const b = bench(parseCode('rs-4-2'), 100, 1, { relaxed: modes[0] ?? false })
  const other = createKernel(parseCode('rs-4-2'), b.kernel.memory)
  b.kernel.encode(b.offsets, 100)
  wipe(b, [0])
  b.kernel.reconstruct(b.offsets, [1, 2, 3, 4, 5], [0], 100)
  wipe(b, [1, 4])
  other.reconstruct(b.offsets, [0, 2, 3, 5], [1, 4], 100)
  wipe(b, [0])
  b.kernel.reconstruct(b.offsets, [5, 4, 3, 2, 1], [0], 100)
  assertImage(b, upTo(6))
  assert.equal(other.verify(b.offsets, 100), true)
})

test('what cannot be done is refused before anything is written', () => {
  const code = parseCode('rs-4-2')
  const b = bench(code, 100, 1, { relaxed: modes[0] ?? false })
  const { kernel, offsets } = b
  const end = kernel.memory.buffer.byteLength
  const placed = (at: number, offset: number): number[] => offsets.with(at, offset)
  for (const bad of [-1, 0.5, Number.NaN, end - 99, 2 ** 32, 2 ** 32 + 1000]) {
    assert.throws(() => kernel.encode(placed(0, bad), 100), RangeError)
    assert.throws(() => kernel.encode(placed(5, bad), 100), RangeError)
    assert.throws(() => kernel.verify(placed(3, bad), 100), RangeError)
    assert.throws(() => kernel.reconstruct(placed(2, bad), [0, 1, 2, 3], [4], 100), RangeError)
  }
  assert.throws(() => kernel.encode(offsets.slice(0, 5), 100), RangeError)
  for (const bad of [-1, 0.5, Number.NaN]) assert.throws(() => kernel.encode(offsets, bad), RangeError)
  // Parity over data, parity over parity; side by side is allowed.
  assert.throws(() => kernel.encode(placed(4, (offsets[0] ?? 0) + 99), 100), /overlap/)
  assert.throws(() => kernel.encode(placed(4, (offsets[5] ?? 0) - 99), 100), /overlap/)
  assert.throws(() => kernel.reconstruct(placed(4, offsets[0] ?? 0), [0, 1, 2, 3], [4], 100), /overlap/)
  assert.throws(() => kernel.reconstruct(offsets, [0, 1, 2], [3], 100), TooFewShardsError)
  assert.throws(() => kernel.reconstruct(offsets, [0, 1, 2, 2], [3], 100), TooFewShardsError)
  assert.throws(() => kernel.reconstruct(offsets, [0, 1, 2, 3], [3], 100), RangeError)
  assert.throws(() => kernel.reconstruct(offsets, [0, 1, 2, 3], [6], 100), RangeError)
  assert.throws(() => kernel.reconstruct(offsets, [0, 1, 2, 32], [4], 100), RangeError)
  assertImage(b, upTo(4))
  const beside = placed(4, (offsets[3] ?? 0) + 100).with(5, (offsets[3] ?? 0) + 200)
  kernel.encode(beside, 100)
  assert.equal(kernel.verify(beside, 100), true)
})

test('shards up to the very end of the memory', () => {
  const code = parseCode('rs-2-1')
  const memory = createStripeMemory(65536)
  const kernel = createKernel(code, memory)
  kernel.encode([0, 65536 - 333, 400], 333)
  assert.equal(kernel.verify([0, 65536 - 333, 400], 333), true)
  kernel.encode([65536 - 333, 0, 65536 - 666], 333)
  assert.equal(kernel.verify([65536 - 333, 0, 65536 - 666], 333), true)
  assert.throws(() => kernel.encode([65536 - 332, 0, 400], 333), RangeError)
})
