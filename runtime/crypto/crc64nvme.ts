/**
 * CRC-64/NVME in WebAssembly: sixteen bytes a step through sixteen tables of 256 entries ("slicing-by-16", Kounavis and
 * Berry 2005), since neither Node nor WebAssembly offers carry-less multiplication.
 *
 * The input is copied into the module's memory (a copy costs a tenth of the checksum), so every kind of view is
 * accepted. One instance serves the whole thread: an update never yields.
 */
import { assemble, I32, op, type Bytes } from '../../core/erasure/wasm.ts'

/** Reflected polynomial. Source: NVM Express NVM Command Set Specification 1.0b, §5.2.1.3.4. */
const POLYNOMIAL = 0x9a6c9329ac4bc9b5n
const TABLES = 16
const TABLE_BYTES = 256 * 8
const PAGE = 64 * 1024
/** Tables fill half a page; the input lies after them. Small enough to stay in the second-level cache. */
const INPUT_AT = PAGE
const INPUT_BYTES = 4 * PAGE

type Update = (crc: bigint, bytes: number) => bigint

interface Kernel {
  readonly update: Update
  readonly input: Uint8Array
}

let kernel: Kernel | undefined

/** A running CRC64NVME; `digest` gives the eight bytes, big-endian, of what has been seen so far. */
export class Crc64Nvme {
  /** The register, complemented as it stands between updates. */
  #crc = 0n

  update(bytes: Uint8Array): void {
    kernel ??= createKernel()
    const { update, input } = kernel
    for (let at = 0; at < bytes.byteLength; at += INPUT_BYTES) {
      const piece =
        bytes.byteLength - at <= INPUT_BYTES && at === 0 ? bytes : bytes.subarray(at, at + INPUT_BYTES)
      input.set(piece)
      this.#crc = update(this.#crc, piece.byteLength)
    }
  }

  digest(): Uint8Array {
    const result = new Uint8Array(8)
    new DataView(result.buffer).setBigUint64(0, BigInt.asUintN(64, this.#crc))
    return result
  }
}

function createKernel(): Kernel {
  const memory = new WebAssembly.Memory({ initial: (INPUT_AT + INPUT_BYTES) / PAGE })
  new BigUint64Array(memory.buffer, 0, TABLES * 256).set(createTables())
  const module = assemble(
    [{ module: 'host', name: 'memory', shared: false }],
    [{ name: 'update', params: [I64, I32], results: [I64], locals: [I32, I64, I64], body: updateBody() }],
  )
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { host: { memory } })
  const update = exports['update']
  if (!isUpdate(update)) throw new TypeError('the CRC64NVME module exports no function')
  return { update, input: new Uint8Array(memory.buffer, INPUT_AT, INPUT_BYTES) }
}

function isUpdate(value: unknown): value is Update {
  return typeof value === 'function'
}

/** Table t, entry i: the CRC register after byte i and t zero bytes. */
function createTables(): BigUint64Array {
  const tables = new BigUint64Array(TABLES * 256)
  for (let i = 0; i < 256; i++) {
    let crc = BigInt(i)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n
    tables[i] = crc
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] ?? 0n
    tables[i] = (before >> 8n) ^ (tables[Number(before & 0xffn)] ?? 0n)
  }
  return tables
}

const I64 = 0x7e
const i64 = {
  xor: [0x85],
  shl: [0x86],
  shrU: [0x88],
  const: (value: number): Bytes => [0x42, value],
  load: (offset: Bytes): Bytes => [0x29, 0x00, ...offset],
  load8U: (offset: Bytes): Bytes => [0x31, 0x00, ...offset],
  wrap: [0xa7],
}

/** A 32-bit memory offset in LEB128. */
function leb(value: number): Bytes {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)]
}

/** Instructions one after another. */
const code = (...parts: readonly Bytes[]): Bytes => parts.flat()

/** Adds a constant to an i32 local. */
const step = (local: number, by: number): Bytes =>
  code(op.localGet(local), op.i32Const(by), op.i32Add, op.localSet(local))

/** (crc, bytes) → crc over the input area, complemented on entry and on return. */
function updateBody(): Bytes {
  const [crc, left, at, first, second] = [0, 1, 2, 3, 4] as const
  const complement = code(op.localGet(crc), i64.const(0x7f), i64.xor, op.localSet(crc))

  /** The table entry for byte `byte` (0 is the lowest) of the 64-bit local `word`, from table `table`. */
  const lookup = (word: number, byte: number, table: number): Bytes => {
    // Entries are eight bytes: shift the byte to bits 3 to 10 rather than down and up again.
    const shift = byte === 0 ? code(i64.const(3), i64.shl) : code(i64.const(byte * 8 - 3), i64.shrU)
    const address = code(op.localGet(word), shift, i64.wrap, op.i32Const(0x7f8), op.i32And)
    return code(address, i64.load(leb(table * TABLE_BYTES)))
  }
  // The second word does not depend on the register, so its half of the tree runs ahead of the chain.
  const entries = [second, first].flatMap((word, half) =>
    Array.from({ length: 8 }, (_, byte) => lookup(word, byte, 7 - byte + 8 * half)),
  )
  const sixteen = code(
    code(op.block, op.loop),
    code(op.localGet(left), op.i32Const(16), op.i32LtU, op.brIf(1)),
    code(op.localGet(at), i64.load(leb(INPUT_AT)), op.localGet(crc), i64.xor, op.localSet(first)),
    code(op.localGet(at), i64.load(leb(INPUT_AT + 8)), op.localSet(second)),
    code(xorTree(entries), op.localSet(crc)),
    code(step(at, 16), step(left, -16), op.br(0)),
    code(op.end, op.end),
  )
  const single = code(
    code(op.block, op.loop),
    code(op.localGet(left), op.i32Eqz, op.brIf(1)),
    code(op.localGet(at), i64.load8U(leb(INPUT_AT)), op.localGet(crc), i64.xor, op.localSet(first)),
    code(lookup(first, 0, 0), op.localGet(crc), i64.const(8), i64.shrU, i64.xor, op.localSet(crc)),
    code(step(at, 1), step(left, -1), op.br(0)),
    code(op.end, op.end),
  )
  return code(complement, sixteen, single, complement, op.localGet(crc))
}

/** XORs the values pairwise, so that the result waits for log₂ of them. */
function xorTree(values: readonly Bytes[]): Bytes {
  const [only] = values
  if (only !== undefined && values.length === 1) return only
  const middle = values.length / 2
  return code(xorTree(values.slice(0, middle)), xorTree(values.slice(middle)), i64.xor)
}
