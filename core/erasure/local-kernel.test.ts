import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Code, parseCode } from './code.ts'
import { createKernel, hasRelaxedSimd, type Kernel } from './kernel.ts'
import { TooFewShardsError } from './matrix.ts'
import { createStripeMemory, shardOffsets, shardStride, slotBytes } from './memory.ts'
import * as reference from './reference.ts'
import { isReadable, sourcesFor } from './repair.ts'

/** Fills what no kernel may read or write. */
const GUARD = 0xa5
const MARGIN = 64

const modes = hasRelaxedSimd() ? [true, false] : [false]

interface Bench {
  readonly code: Code
  readonly kernel: Kernel
  readonly bytes: Uint8Array
  readonly offsets: readonly number[]
  readonly size: number
  /** What every shard must be. */
  readonly expected: readonly Uint8Array[]
}

/** A stripe in guarded memory, encoded by the kernel, and what the oracle makes of the same data. */
function bench(code: Code, size: number, seed: number, relaxed: boolean): Bench {
  const memory = createStripeMemory(2 * MARGIN + slotBytes(code, size))
  const bytes = new Uint8Array(memory.buffer).fill(GUARD)
  const offsets = shardOffsets(code, MARGIN + (seed % 17), shardStride(size))
  const data = Array.from({ length: code.k }, (_, i) =>
    Uint8Array.from({ length: size }, (__, at) => Math.imul(seed + i * 7919 + at * 31, 2654435761) >>> 24),
  )
  for (const [i, shard] of data.entries()) bytes.set(shard, offsets[i])
  const kernel = createKernel(code, memory, { relaxed })
  kernel.encode(offsets, size)
  const made: Bench = {
    code,
    kernel,
    bytes,
    offsets,
    size,
    expected: [...data, ...reference.encode(code, data)],
  }
  assertImage(made, new Set(upTo(code.total)))
  return made
}

/** The shards `known` hold what they should, and everything else is as it was. */
function assertImage({ bytes, offsets, expected }: Bench, known: ReadonlySet<number>): void {
  const image = new Uint8Array(bytes.length).fill(GUARD)
  for (const shard of known) image.set(expected[shard] ?? [], offsets[shard])
  assert.equal(Buffer.compare(bytes, image), 0)
}

/** All but these shards as they should be, these overwritten. */
function lose({ bytes, offsets, expected, size }: Bench, lost: ReadonlySet<number>): void {
  for (const [shard, whole] of expected.entries()) {
    const offset = offsets[shard] ?? 0
    if (lost.has(shard)) bytes.fill(GUARD, offset, offset + size)
    else bytes.set(whole, offset)
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

function setOf(bits: number): number[] {
  return upTo(32).filter((bit) => ((bits >>> bit) & 1) === 1)
}

for (const relaxed of modes) {
  for (const name of ['lrc-2-2-2', 'lrc-4-2-2', 'lrc-4-3-2', 'lrc-5-1-2', 'lrc-3-2-3']) {
    test(`${name}: after every loss what can be restored is, as the oracle does (relaxed ${relaxed})`, () => {
      const code = parseCode(name)
      const b = bench(code, 37, code.total, relaxed)
      assert.equal(b.kernel.verify(b.offsets, b.size), true)
      for (let bits = 1; bits < 1 << code.total; bits++) {
        const lost = setOf(bits)
        const available = upTo(code.total).filter((shard) => !lost.includes(shard))
        lose(b, new Set(lost))
        if (isReadable(code, lost)) {
          b.kernel.reconstruct(b.offsets, available, lost, b.size)
          assertImage(b, new Set(upTo(code.total)))
          continue
        }
        assert.throws(() => {
          b.kernel.reconstruct(b.offsets, available, lost, b.size)
        }, TooFewShardsError)
        // Of a stripe that cannot be read, a group may still give back its own.
        for (const shard of lost) {
          if (sourcesFor(code, [shard], available) === undefined) continue
          b.kernel.reconstruct(b.offsets, available, [shard], b.size)
          assertImage(b, new Set([...available, shard]))
          lose(b, new Set(lost))
        }
      }
    })
  }

  test(`of the wider codes too, at any size, and nothing else is written (relaxed ${relaxed})`, () => {
    fc.assert(
      fc.property(
        // The last multiplies more rows than fit in registers at once.
        fc
          .constantFrom('lrc-6-3-3', 'lrc-8-3-4', 'lrc-12-3-6', 'lrc-12-2-2', 'lrc-16-4-4', 'lrc-2-3-10')
          .map(parseCode),
        fc.oneof(fc.integer({ min: 0, max: 80 }), fc.constantFrom(4096, 4097)),
        fc.nat(1_000_000),
        fc.infiniteStream(fc.nat(3)),
        (code, size, seed, dice) => {
          const b = bench(code, size, seed, relaxed)
          const lost = upTo(code.total).filter(() => dice.next().value === 0)
          const wanted = lost.filter(() => (dice.next().value ?? 0) < 2)
          const available = upTo(code.total).filter((shard) => !lost.includes(shard))
          lose(b, new Set(lost))
          if (sourcesFor(code, wanted, available) === undefined) return
          b.kernel.reconstruct(b.offsets, available, wanted, size)
          assertImage(b, new Set([...available, ...wanted]))
          assert.equal(b.kernel.agrees(b.offsets, available, wanted, size), true)
        },
      ),
      { numRuns: 400 },
    )
  })

  test(`one lost shard is made of its group, whatever the others hold (relaxed ${relaxed})`, () => {
    const code = parseCode('lrc-6-3-3')
    const b = bench(code, 100, 3, relaxed)
    for (const shard of upTo(code.total)) {
      const others = upTo(code.total).filter((other) => other !== shard)
      const group = new Set(sourcesFor(code, [shard], others))
      assert.equal(group.size, 3)
      lose(b, new Set(upTo(code.total).filter((other) => !group.has(other))))
      b.kernel.reconstruct(b.offsets, others, [shard], b.size)
      assertImage(b, new Set([...group, shard]))
    }
  })

  test(`verify sees one flipped bit in any byte of any shard (relaxed ${relaxed})`, () => {
    const code = parseCode('lrc-4-3-2')
    for (const size of [7, 37]) {
      const b = bench(code, size, 9, relaxed)
      const flip = (place: number): void => {
        b.bytes[place] = (b.bytes[place] ?? 0) ^ (1 << (place & 7))
      }
      for (const [shard, offset] of b.offsets.entries()) {
        for (const at of upTo(size)) {
          flip(offset + at)
          assert.equal(b.kernel.verify(b.offsets, size), false, `shard ${shard}, byte ${at} of ${size}`)
          flip(offset + at)
        }
      }
      assert.equal(b.kernel.verify(b.offsets, size), true)
    }
  })

  test(`a shard agrees with its group until a bit of either is flipped (relaxed ${relaxed})`, () => {
    const code = parseCode('lrc-6-3-3')
    const b = bench(code, 21, 4, relaxed)
    for (const shard of upTo(code.total)) {
      const others = upTo(code.total).filter((other) => other !== shard)
      const concerned = new Set([shard, ...(sourcesFor(code, [shard], others) ?? [])])
      for (const touched of upTo(code.total)) {
        const place = (b.offsets[touched] ?? 0) + touched
        b.bytes[place] = (b.bytes[place] ?? 0) ^ 4
        assert.equal(b.kernel.agrees(b.offsets, others, [shard], b.size), !concerned.has(touched))
        b.bytes[place] = (b.bytes[place] ?? 0) ^ 4
      }
    }
  })
}
