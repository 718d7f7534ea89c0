import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assemble, I32, op, signed, unsigned } from './wasm.ts'

test('LEB128 by the examples of its definition (DWARF 4, section 7.6)', () => {
  assert.deepEqual([2, 127, 128, 129, 12_857].map(unsigned), [
    [2],
    [0x7f],
    [0x80, 1],
    [0x81, 1],
    [0xb9, 0x64],
  ])
  assert.deepEqual([2, -2, 127, -127, 128, -128, 129, -129].map(signed), [
    [2],
    [0x7e],
    [0xff, 0],
    [0x81, 0x7f],
    [0x80, 1],
    [0x80, 0x7f],
    [0x81, 1],
    [0xff, 0x7e],
  ])
  assert.throws(() => unsigned(-1), RangeError)
  assert.throws(() => unsigned(1.5), RangeError)
})

test('constants and sums survive the trip through the engine', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (constant, argument) => {
      const bytes = assemble(
        [],
        [
          {
            name: 'add',
            params: [I32],
            results: [I32],
            locals: [],
            body: [...op.localGet(0), ...op.i32Const(constant), ...op.i32Add],
          },
        ],
      )
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {})
      const add = exports['add']
      assert.ok(typeof add === 'function')
      assert.equal(add(argument), (constant + argument) | 0)
    }),
  )
})
