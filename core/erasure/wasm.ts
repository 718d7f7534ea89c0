/**
 * A very small writer of WebAssembly binary modules: just what the generated code of the erasure kernel and of the
 * checksums needs.
 *
 * Source of the encoding: WebAssembly Core Specification 3.0, chapter 5 "Binary Format"; opcodes in appendix "Index of
 * Instructions". Instructions are byte arrays; a function body is their concatenation.
 */

/** A piece of code or of a section: bytes. */
export type Bytes = readonly number[]

/** Value types. */
export const I32 = 0x7f
export const V128 = 0x7b

/** Unsigned LEB128, for indices, sizes and memory offsets up to 2^32 - 1. */
export function unsigned(value: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`)
  const bytes: number[] = []
  let rest = value
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest === 0 ? low : low | 0x80)
  } while (rest !== 0)
  return bytes
}

/** Signed LEB128, for 32-bit constants. */
export function signed(value: number): Bytes {
  const bytes: number[] = []
  let rest = value | 0
  for (;;) {
    const low = rest & 0x7f
    rest >>= 7
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
    bytes.push(done ? low : low | 0x80)
    if (done) return bytes
  }
}

const simd = (opcode: number): Bytes => [0xfd, ...unsigned(opcode)]

/** Alignment hint 2^0, then (bit 6) the index of the memory unless it is memory 0, then the constant offset. */
function memarg(memory: number, offset: number): Bytes {
  return memory === 0 ? [0x00, ...unsigned(offset)] : [0x40, ...unsigned(memory), ...unsigned(offset)]
}

/** The instructions the kernel uses, named as in the specification (`i32.add` is `i32Add`). */
export const op = {
  loop: [0x03, 0x40],
  block: [0x02, 0x40],
  if: [0x04, 0x40],
  else: [0x05],
  end: [0x0b],
  return: [0x0f],
  br: (depth: number): Bytes => [0x0c, ...unsigned(depth)],
  brIf: (depth: number): Bytes => [0x0d, ...unsigned(depth)],
  localGet: (index: number): Bytes => [0x20, ...unsigned(index)],
  localSet: (index: number): Bytes => [0x21, ...unsigned(index)],
  localTee: (index: number): Bytes => [0x22, ...unsigned(index)],
  i32Const: (value: number): Bytes => [0x41, ...signed(value)],
  i32Load8U: (memory: number, offset: number): Bytes => [0x2d, ...memarg(memory, offset)],
  i32Store8: (memory: number, offset: number): Bytes => [0x3a, ...memarg(memory, offset)],
  i32Eqz: [0x45],
  i32LtU: [0x49],
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32And: [0x71],
  i32Xor: [0x73],
  i32ShrU: [0x76],
  v128Load: (memory: number, offset: number): Bytes => [...simd(0), ...memarg(memory, offset)],
  v128Store: (memory: number, offset: number): Bytes => [...simd(11), ...memarg(memory, offset)],
  v128Const: (bytes: Bytes): Bytes => [...simd(12), ...bytes],
  /** The sixteen lanes are indices into the 32 bytes of both operands. */
  i8x16Shuffle: (lanes: Bytes): Bytes => [...simd(13), ...lanes],
  i8x16Swizzle: simd(14),
  i8x16RelaxedSwizzle: simd(0x100),
  v128And: simd(78),
  v128Xor: simd(81),
  v128AnyTrue: simd(83),
  i16x8ShrU: simd(141),
  i64x2ShrU: simd(205),
  i64x2Add: simd(206),
  i64x2Mul: simd(213),
  i64x2ExtmulLowI32x4U: simd(222),
} as const

/** A memory the module imports: `shared` must say what the memory is, or instantiation fails. */
export interface MemoryImport {
  readonly module: string
  readonly name: string
  readonly shared: boolean
}

/** A function the module exports. */
export interface FunctionExport {
  readonly name: string
  readonly params: readonly number[]
  readonly results: readonly number[]
  /** Locals after the parameters, by value type. */
  readonly locals: readonly number[]
  /** The body, without its final `end`. */
  readonly body: Bytes
}

/** The largest memory WebAssembly addresses with 32 bits, in pages of 64 KiB. */
const MEMORY_PAGES_MAX = 65536

/** Assembles a module that imports `memories` (memory 0, 1, …) and exports `functions`. */
export function assemble(
  memories: readonly MemoryImport[],
  functions: readonly FunctionExport[],
): Uint8Array<ArrayBuffer> {
  const types = functions.map((fn) => [0x60, ...vector(fn.params.map(one)), ...vector(fn.results.map(one))])
  // A shared memory must be declared with a maximum, and an import's maximum bounds the actual one: say the largest.
  const limits = (shared: boolean): Bytes => (shared ? [0x03, 0, ...unsigned(MEMORY_PAGES_MAX)] : [0x00, 0])
  const imports = memories.map((m) => [...text(m.module), ...text(m.name), 0x02, ...limits(m.shared)])
  const exports = functions.map((fn, index) => [...text(fn.name), 0x00, ...unsigned(index)])
  const bodies = functions.map((fn) => {
    const bytes = [...vector(runs(fn.locals)), ...fn.body, ...op.end]
    return [...unsigned(bytes.length), ...bytes]
  })
  return Uint8Array.from([
    ...HEADER,
    ...section(1, types),
    ...section(2, imports),
    ...section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    ...section(7, exports),
    ...section(10, bodies),
  ])
}

/** "\0asm" and version 1. */
const HEADER: Bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

const one = (byte: number): Bytes => [byte]

function vector(items: readonly Bytes[]): Bytes {
  return [...unsigned(items.length), ...items.flat()]
}

function section(id: number, items: readonly Bytes[]): Bytes {
  const content = vector(items)
  return [id, ...unsigned(content.length), ...content]
}

/** Names in the kernel are ASCII. */
function text(name: string): Bytes {
  return [...unsigned(name.length), ...Array.from(name, (character) => character.charCodeAt(0))]
}

/** Locals are declared as runs of one type. */
function runs(types: readonly number[]): readonly Bytes[] {
  const found: { type: number; count: number }[] = []
  for (const type of types) {
    const last = found.at(-1)
    if (last?.type === type) last.count++
    else found.push({ type, count: 1 })
  }
  return found.map(({ type, count }) => [...unsigned(count), type])
}
