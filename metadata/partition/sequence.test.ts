import assert from 'node:assert/strict'
import test from 'node:test'
import { MemoryEngine } from '../engine/memory.ts'
import { Sequence } from './sequence.ts'

const KEY = Uint8Array.of(7)
const FENCE = { key: Uint8Array.of(0), token: undefined }

test('numbers start at 1, and one write reserves a block of them', async () => {
  const engine = new MemoryEngine()
  const sequence = await Sequence.open(engine, KEY, 10)
  assert.equal(sequence.reservation(), undefined)
  assert.equal(sequence.take(), 1)
  const first = sequence.reservation()
  assert.ok(first !== undefined)
  await engine.commit({ fence: FENCE, puts: [first.put], deletes: [] })
  first.inLine()
  for (let number = 2; number < 12; number++) {
    assert.equal(sequence.take(), number)
    assert.equal(sequence.reservation(), undefined)
  }
  assert.equal(sequence.take(), 12)
  assert.ok(sequence.reservation() !== undefined)
})

test('a new owner starts beyond everything that was reserved', async () => {
  const engine = new MemoryEngine()
  const first = await Sequence.open(engine, KEY, 10)
  first.take()
  const reservation = first.reservation()
  assert.ok(reservation !== undefined)
  await engine.commit({ fence: FENCE, puts: [reservation.put], deletes: [] })
  reservation.inLine()
  for (let number = 2; number < 12; number++) first.take()
  const second = await Sequence.open(engine, KEY, 10)
  assert.equal(second.take(), 12)
})

test('a reservation that did not get in line is asked for again', async () => {
  const sequence = await Sequence.open(new MemoryEngine(), KEY, 10)
  sequence.take()
  assert.ok(sequence.reservation() !== undefined)
  sequence.take()
  assert.ok(sequence.reservation() !== undefined)
})
