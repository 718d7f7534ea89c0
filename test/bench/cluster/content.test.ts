import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContentCheck, contentOf } from './content.ts'

const MIB = 1024 * 1024
const SIZE = 20 * MIB + 1

function bytesOf(number: number, size = SIZE, start = 0): Buffer {
  return Buffer.concat([...contentOf(number, size, start)])
}

/** Takes the bytes in pieces as a socket cuts them. */
function check(number: number, bytes: Buffer): void {
  const taking = new ContentCheck(number, SIZE)
  for (let at = 0; at < bytes.byteLength; at += 200_003) taking.take(bytes.subarray(at, at + 200_003))
  taking.end()
}

test('an object compares equal to itself, however it is cut', () => {
  assert.doesNotThrow(() => {
    check(5, bytesOf(5))
  })
  assert.deepEqual(bytesOf(5, 3 * MIB, 9 * MIB), bytesOf(5).subarray(9 * MIB, 12 * MIB))
})

test('bytes that are wrong, elsewhere, of another object, too few or too many do not', () => {
  const right = bytesOf(5)
  const flipped = Buffer.from(right)
  flipped.writeUInt8(flipped.readUInt8(19 * MIB) ^ 1, 19 * MIB)
  const swapped = Buffer.concat([
    right.subarray(MIB, 2 * MIB),
    right.subarray(0, MIB),
    right.subarray(2 * MIB),
  ])
  const repeated = Buffer.concat([right.subarray(0, 4 * MIB), right.subarray(0, SIZE - 4 * MIB)])
  for (const wrong of [
    flipped,
    swapped,
    repeated,
    bytesOf(6),
    right.subarray(1),
    Buffer.concat([right, right]),
  ]) {
    assert.throws(() => {
      check(5, wrong)
    }, /object 5/)
  }
})
