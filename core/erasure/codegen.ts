/**
 * The generated code of the kernel: matrix × shards over GF(2⁸), for one shape (`rows` outputs of `columns` inputs), any
 * coefficients; then plain XORs of inputs and of those outputs (`sums`), an output each.
 *
 * A module imports two memories: 0 holds the shards and belongs to the caller; 1 holds the nibble tables and is private to
 * a kernel. It exports, with all parameters i32 byte offsets or lengths:
 *
 *     apply(tables, in_0 … in_{columns-1}, out_0 … out_{rows+sums-1}, length)
 *     check(tables, in_0 … in_{columns-1}, out_0 … out_{rows+sums-1}, length) -> 1 if `out` is what apply would write, or 0
 *
 * `tables` points, in memory 1, at `rows × columns` tables of 32 bytes, row by row (see `nibbleTable`).
 *
 * How it is fast. A vector of 16 input bytes is split into nibbles once and used for all rows while it is in registers; each
 * coefficient costs two byte shuffles and two XORs. Everything is unrolled over rows and columns, so table offsets are
 * immediates. The shuffles and XORs saturate the vector ports of current x86 cores: unrolling over more than 16 bytes,
 * keeping tables in locals or the tables' place in memory 0 were measured and give nothing; tables as `v128.const` are slower
 * (V8 rebuilds them at each use).
 *
 * Lengths that are not a multiple of 16 end with one vector that overlaps the one before: the same bytes are computed and
 * written twice. So nothing outside `[out, out + length)` is ever written, nor outside `[in, in + length)` read. Lengths under
 * 16 go byte by byte.
 */

import { NIBBLE_TABLE_BYTES } from './gf256.ts'
import { assemble, type Bytes, I32, op, V128 } from './wasm.ts'

/** What a module is generated for; the coefficients are not part of it. */
export interface Shape {
  /** Outputs that are multiplied: 0 … 31. */
  readonly rows: number
  /** Inputs: 1 … 32. */
  readonly columns: number
  /** Outputs after those, each the XOR of at least one of the inputs (0 … columns-1) and the rows (columns … columns+rows-1). */
  readonly sums: readonly (readonly number[])[]
  /** Use `i8x16.relaxed_swizzle`, which is one instruction on x86; the plain one needs two. */
  readonly relaxed: boolean
  /** Whether memory 0 is shared. */
  readonly shared: boolean
}

/** Names under which the memories are imported. */
export const IMPORTS = { module: 'ashlar', shards: 'shards', tables: 'tables' } as const

/** Accumulators that fit in 16 vector registers beside the operands; V8 tolerates a few more without loss. */
const ROWS_PER_PASS = 8
const VECTOR = 16

/** The bytes of the module for a shape. */
export function generate(shape: Shape): Uint8Array<ArrayBuffer> {
  return assemble(
    [
      { module: IMPORTS.module, name: IMPORTS.shards, shared: shape.shared },
      { module: IMPORTS.module, name: IMPORTS.tables, shared: false },
    ],
    (['apply', 'check'] as const).map((name) => {
      const locals = new Locals(shape)
      return {
        name,
        params: Array.from({ length: locals.parameters }, () => I32),
        results: name === 'check' ? [I32] : [],
        body: body(shape, name, locals),
        locals: locals.types,
      }
    }),
  )
}

type Mode = 'apply' | 'check'

/** The numbers of parameters and locals. */
class Locals {
  readonly types: number[] = []
  readonly parameters: number
  readonly tables = 0
  readonly length: number
  readonly offset: number
  readonly last: number
  readonly byte: number
  readonly sum: number
  readonly low: number
  readonly high: number
  readonly mask: number
  readonly accumulators: readonly number[]
  readonly #columns: number

  constructor(shape: Shape) {
    this.#columns = shape.columns
    this.parameters = 1 + shape.columns + shape.rows + shape.sums.length + 1
    this.length = this.parameters - 1
    this.offset = this.#add(I32)
    this.last = this.#add(I32)
    this.byte = this.#add(I32)
    this.sum = this.#add(I32)
    this.low = this.#add(V128)
    this.high = this.#add(V128)
    this.mask = this.#add(V128)
    this.accumulators = Array.from({ length: Math.min(shape.rows, ROWS_PER_PASS) }, () => this.#add(V128))
  }

  input(column: number): number {
    return 1 + column
  }

  output(row: number): number {
    return 1 + this.#columns + row
  }

  /** What a sum is made of: inputs, then rows, which is the order of the parameters. */
  operand(index: number): number {
    return 1 + index
  }

  accumulator(row: number): number {
    return this.accumulators[row % ROWS_PER_PASS] ?? 0
  }

  #add(type: number): number {
    this.types.push(type)
    return this.parameters + this.types.length - 1
  }
}

const join = (...parts: readonly Bytes[]): Bytes => parts.flat()

function body(shape: Shape, mode: Mode, v: Locals): Bytes {
  const shorterThanAVector = join(op.localGet(v.length), op.i32Const(VECTOR), op.i32LtU)
  return join(
    shorterThanAVector,
    op.if,
    byteLoop(shape, mode, v),
    op.else,
    vectorLoop(shape, mode, v),
    op.end,
    mode === 'check' ? op.i32Const(1) : [],
  )
}

/** The address of the current position of the shard whose offset is in local `base`. */
function position(v: Locals, base: number): Bytes {
  return join(op.localGet(base), op.localGet(v.offset), op.i32Add)
}

/** Returns 0 (not equal) when the value on the stack is not zero. */
const returnUnequal: Bytes = join(op.if, op.i32Const(0), op.return, op.end)

function vectorLoop(shape: Shape, mode: Mode, v: Locals): Bytes {
  return join(
    op.v128Const(Array.from({ length: VECTOR }, () => 0x0f)),
    op.localSet(v.mask),
    op.localGet(v.length),
    op.i32Const(VECTOR),
    op.i32Sub,
    op.localSet(v.last),
    op.loop,
    // The inner loop takes every whole step before the last vector.
    op.loop,
    vectorStep(shape, mode, v),
    op.localGet(v.offset),
    op.i32Const(VECTOR),
    op.i32Add,
    op.localTee(v.offset),
    op.localGet(v.last),
    op.i32LtU,
    op.brIf(0),
    op.end,
    // The last vector ends with the shard, wherever that is: done if it was the step just made.
    op.localGet(v.offset),
    op.localGet(v.length),
    op.i32LtU,
    op.if,
    op.localGet(v.last),
    op.localSet(v.offset),
    op.br(1),
    op.end,
    op.end,
  )
}

/** One vector of every row at `offset`. */
function vectorStep(shape: Shape, mode: Mode, v: Locals): Bytes {
  const parts: Bytes[] = []
  for (let first = 0; first < shape.rows; first += ROWS_PER_PASS) {
    const end = Math.min(shape.rows, first + ROWS_PER_PASS)
    for (let column = 0; column < shape.columns; column++) {
      parts.push(splitNibbles(v, column))
      for (let row = first; row < end; row++) parts.push(multiplyAccumulate(shape, v, row, column))
    }
    for (let row = first; row < end; row++) parts.push(finishRow(mode, v, row, v.accumulator(row)))
  }
  for (const [i, sum] of shape.sums.entries()) parts.push(addUp(shape, mode, v, shape.rows + i, sum))
  return join(...parts)
}

/**
 * Inputs come from the level 1 cache, where they have just been read, and so do rows of earlier passes (measured: of the last
 * pass, taking rows from their registers gives 10 to 15 %).
 */
function addUp(shape: Shape, mode: Mode, v: Locals, row: number, operands: readonly number[]): Bytes {
  const lastPass = shape.columns + Math.floor((shape.rows - 1) / ROWS_PER_PASS) * ROWS_PER_PASS
  const vectors = operands.map((operand) =>
    operand >= shape.columns && operand >= lastPass
      ? op.localGet(v.accumulator(operand - shape.columns))
      : join(position(v, v.operand(operand)), op.v128Load(0, 0)),
  )
  return join(
    ...vectors.map((vector, i) => (i === 0 ? vector : join(vector, op.v128Xor))),
    op.localSet(v.low),
    finishRow(mode, v, row, v.low),
  )
}

/** low = in & 0x0f; high = (in >> 4) & 0x0f. The shift is of 16-bit lanes, x86 having none of bytes: the mask cleans it. */
function splitNibbles(v: Locals, column: number): Bytes {
  return join(
    position(v, v.input(column)),
    op.v128Load(0, 0),
    op.localTee(v.high),
    op.localGet(v.mask),
    op.v128And,
    op.localSet(v.low),
    op.localGet(v.high),
    op.i32Const(4),
    op.i16x8ShrU,
    op.localGet(v.mask),
    op.v128And,
    op.localSet(v.high),
  )
}

/** accumulator ^= table_low[low] ^ table_high[high], where the first column sets instead. */
function multiplyAccumulate(shape: Shape, v: Locals, row: number, column: number): Bytes {
  const swizzle = shape.relaxed ? op.i8x16RelaxedSwizzle : op.i8x16Swizzle
  const table = (row * shape.columns + column) * NIBBLE_TABLE_BYTES
  return join(
    op.localGet(v.tables),
    op.v128Load(1, table),
    op.localGet(v.low),
    swizzle,
    column === 0 ? [] : join(op.localGet(v.accumulator(row)), op.v128Xor),
    op.localGet(v.tables),
    op.v128Load(1, table + VECTOR),
    op.localGet(v.high),
    swizzle,
    op.v128Xor,
    op.localSet(v.accumulator(row)),
  )
}

/** Stores the vector in local `value` as that of the row, or returns 0 when it is not. */
function finishRow(mode: Mode, v: Locals, row: number, value: number): Bytes {
  const out = position(v, v.output(row))
  if (mode === 'apply') return join(out, op.localGet(value), op.v128Store(0, 0))
  return join(out, op.v128Load(0, 0), op.localGet(value), op.v128Xor, op.v128AnyTrue, returnUnequal)
}

/** The whole of a shard of 0 to 15 bytes. */
function byteLoop(shape: Shape, mode: Mode, v: Locals): Bytes {
  const rows: Bytes[] = []
  const computeRow = (row: number, terms: readonly Bytes[]): void => {
    rows.push(op.i32Const(0), op.localSet(v.sum), ...terms)
    const out = position(v, v.output(row))
    if (mode === 'apply') rows.push(out, op.localGet(v.sum), op.i32Store8(0, 0))
    else rows.push(out, op.i32Load8U(0, 0), op.localGet(v.sum), op.i32Xor, returnUnequal)
  }
  for (let row = 0; row < shape.rows; row++) {
    const columns = Array.from({ length: shape.columns }, (_, column) => multiplyByte(shape, v, row, column))
    computeRow(row, columns)
  }
  for (const [i, sum] of shape.sums.entries()) {
    const operands = sum.map((operand) => addByte(v, operand))
    computeRow(shape.rows + i, operands)
  }
  return join(
    op.block,
    op.loop,
    op.localGet(v.offset),
    op.localGet(v.length),
    op.i32LtU,
    op.i32Eqz,
    op.brIf(1),
    ...rows,
    op.localGet(v.offset),
    op.i32Const(1),
    op.i32Add,
    op.localSet(v.offset),
    op.br(0),
    op.end,
    op.end,
  )
}

/** sum ^= byte */
function addByte(v: Locals, operand: number): Bytes {
  return join(
    position(v, v.operand(operand)),
    op.i32Load8U(0, 0),
    op.localGet(v.sum),
    op.i32Xor,
    op.localSet(v.sum),
  )
}

/** sum ^= table_low[byte & 15] ^ table_high[byte >> 4] */
function multiplyByte(shape: Shape, v: Locals, row: number, column: number): Bytes {
  const table = (row * shape.columns + column) * NIBBLE_TABLE_BYTES
  return join(
    position(v, v.input(column)),
    op.i32Load8U(0, 0),
    op.localSet(v.byte),
    op.localGet(v.sum),
    op.localGet(v.tables),
    op.localGet(v.byte),
    op.i32Const(15),
    op.i32And,
    op.i32Add,
    op.i32Load8U(1, table),
    op.i32Xor,
    op.localGet(v.tables),
    op.localGet(v.byte),
    op.i32Const(4),
    op.i32ShrU,
    op.i32Add,
    op.i32Load8U(1, table + VECTOR),
    op.i32Xor,
    op.localSet(v.sum),
  )
}
