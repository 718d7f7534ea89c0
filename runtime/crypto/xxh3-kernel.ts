/**
 * The inner loop of XXH3 in WebAssembly SIMD: eight accumulators of 64 bits in four vectors, fed in stripes of 64 bytes,
 * and scrambled after each block of sixteen stripes. See xxh128.ts for the source.
 */
import { assemble, I32, op, V128, type Bytes } from '../../core/erasure/wasm.ts'

export const XXH3_STRIPE_BYTES = 64
const STRIPES_PER_BLOCK = 16
export const XXH3_BLOCK_BYTES = STRIPES_PER_BLOCK * XXH3_STRIPE_BYTES

/** The default secret; the specification gives it. Each stripe of a block begins eight bytes further into it. */
export const XXH3_SECRET: Uint8Array = Uint8Array.from(
  Buffer.from(
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f' +
      'cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
      '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8' +
      'fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364ea' +
      'c5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b' +
      '16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
    'hex',
  ),
)

const PAGE = 64 * 1024
const ACCUMULATORS_AT = 256
const INPUT_AT = PAGE
/** Small enough to stay in the second-level cache. */
const INPUT_BYTES = 4 * PAGE
const SCRAMBLE_SECRET = 192 - XXH3_STRIPE_BYTES
const PRIME32_1 = [0xb1, 0x79, 0x37, 0x9e, 0, 0, 0, 0]

export interface Xxh3Kernel {
  /** Where input is put. */
  readonly input: Uint8Array
  /** Eight little-endian words of 64 bits, before and after. */
  readonly accumulators: Uint8Array
  /** Whole blocks, each followed by its scramble, from an offset in `input`. */
  readonly consumeBlocks: (at: number, blocks: number) => void
  /** Stripes of one block, from an offset in `input` and an offset in the secret. */
  readonly consumeStripes: (at: number, secretAt: number, stripes: number) => void
}

export function createXxh3Kernel(): Xxh3Kernel {
  const memory = new WebAssembly.Memory({ initial: (INPUT_AT + INPUT_BYTES) / PAGE })
  new Uint8Array(memory.buffer).set(XXH3_SECRET)
  const module = assemble(
    [{ module: 'host', name: 'memory', shared: false }],
    [
      { name: 'blocks', params: [I32, I32], results: [], locals: VECTORS, body: blocksBody() },
      { name: 'stripes', params: [I32, I32, I32], results: [], locals: VECTORS, body: stripesBody() },
    ],
  )
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { host: { memory } })
  const { blocks, stripes } = exports
  if (!isFunction(blocks) || !isFunction(stripes)) throw new TypeError('the XXH3 module lacks a function')
  return {
    input: new Uint8Array(memory.buffer, INPUT_AT, INPUT_BYTES),
    accumulators: new Uint8Array(memory.buffer, ACCUMULATORS_AT, XXH3_STRIPE_BYTES),
    consumeBlocks: blocks,
    consumeStripes: stripes,
  }
}

function isFunction(value: unknown): value is (...numbers: number[]) => void {
  return typeof value === 'function'
}

/** Four vectors of accumulators, and one for the value at hand. */
const VECTORS = [V128, V128, V128, V128, V128]

const code = (...parts: readonly Bytes[]): Bytes => parts.flat()
const fourTimes = (emit: (vector: number) => Bytes): Bytes => [0, 1, 2, 3].flatMap((vector) => emit(vector))
const step = (local: number, by: number): Bytes =>
  code(op.localGet(local), op.i32Const(by), op.i32Add, op.localSet(local))

/** The lanes of 64 bits exchanged; the low halves of both, and the high halves of both, in the first two lanes of 32. */
const exchanged = op.i8x16Shuffle([8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])
const lowHalves = op.i8x16Shuffle([0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11])
const highHalves = op.i8x16Shuffle([4, 5, 6, 7, 12, 13, 14, 15, 4, 5, 6, 7, 12, 13, 14, 15])

const loadAccumulators = (first: number): Bytes =>
  fourTimes((v) => code(op.i32Const(ACCUMULATORS_AT), op.v128Load(0, v * 16), op.localSet(first + v)))
const storeAccumulators = (first: number): Bytes =>
  fourTimes((v) => code(op.i32Const(ACCUMULATORS_AT), op.localGet(first + v), op.v128Store(0, v * 16)))

/**
 * One stripe: each accumulator takes its neighbour's word of input, and the product of the halves of its own word under
 * the secret.
 * @param secret pushes the address of the secret
 */
function stripe(first: number, at: number, inputOffset: number, secret: Bytes, secretOffset: number): Bytes {
  const value = first + 4
  const twice = code(op.localGet(value), op.localGet(value))
  return fourTimes((v) =>
    code(
      code(op.localGet(at), op.v128Load(0, INPUT_AT + inputOffset + v * 16), op.localSet(value)),
      code(twice, exchanged, op.localGet(first + v), op.i64x2Add, op.localSet(first + v)),
      code(op.localGet(value), secret, op.v128Load(0, secretOffset + v * 16), op.v128Xor, op.localSet(value)),
      code(twice, lowHalves, twice, highHalves, op.i64x2ExtmulLowI32x4U),
      code(op.localGet(first + v), op.i64x2Add, op.localSet(first + v)),
    ),
  )
}

const scramble = (first: number): Bytes =>
  fourTimes((v) =>
    code(
      code(op.localGet(first + v), op.localGet(first + v), op.i32Const(47), op.i64x2ShrU, op.v128Xor),
      code(op.i32Const(0), op.v128Load(0, SCRAMBLE_SECRET + v * 16), op.v128Xor),
      code(op.v128Const([...PRIME32_1, ...PRIME32_1]), op.i64x2Mul, op.localSet(first + v)),
    ),
  )

/** (at, blocks), the stripes of a block unrolled. */
function blocksBody(): Bytes {
  const [at, left, first] = [0, 1, 2] as const
  const stripes = Array.from({ length: STRIPES_PER_BLOCK }, (_, i) =>
    stripe(first, at, i * XXH3_STRIPE_BYTES, op.i32Const(0), i * 8),
  )
  return code(
    loadAccumulators(first),
    code(op.block, op.loop),
    code(op.localGet(left), op.i32Eqz, op.brIf(1)),
    code(...stripes, scramble(first)),
    code(step(at, XXH3_BLOCK_BYTES), step(left, -1), op.br(0)),
    code(op.end, op.end),
    storeAccumulators(first),
  )
}

/** (at, secretAt, stripes) */
function stripesBody(): Bytes {
  const [at, secret, left, first] = [0, 1, 2, 3] as const
  return code(
    loadAccumulators(first),
    code(op.block, op.loop),
    code(op.localGet(left), op.i32Eqz, op.brIf(1)),
    stripe(first, at, 0, op.localGet(secret), 0),
    code(step(at, XXH3_STRIPE_BYTES), step(secret, 8), step(left, -1), op.br(0)),
    code(op.end, op.end),
    storeAccumulators(first),
  )
}
