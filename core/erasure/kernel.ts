/** Erasure coding at the speed of the machine: generated WebAssembly SIMD over shards in WebAssembly memory. */

import { ERASURE_RECOVERY_PLANS_MAX } from '../limits.ts'
import { generate, IMPORTS, type Shape } from './codegen.ts'
import type { Code } from './code.ts'
import { NIBBLE_TABLE_BYTES, nibbleTable } from './gf256.ts'
import { type Matrix, parityRows, planRecovery, type RecoveryPlan } from './matrix.ts'
import { schedule } from './schedule.ts'

/** Where each of the `total` shards of a stripe starts in memory: bytes, by shard number. */
export type ShardOffsets = readonly number[]

export interface KernelOptions {
  /** Use relaxed SIMD: by default where the engine has it. The results are the same. */
  readonly relaxed?: boolean
}

/** The kernel of `code` over `memory`. Cheap after the first of its code: modules are compiled once per shape and thread. */
export function createKernel(code: Code, memory: WebAssembly.Memory, options: KernelOptions = {}): Kernel {
  return new Kernel(code, memory, options.relaxed ?? hasRelaxedSimd())
}

let relaxedSimd: boolean | undefined

/** Whether this engine runs relaxed SIMD. */
export function hasRelaxedSimd(): boolean {
  relaxedSimd ??= WebAssembly.validate(
    generate({ rows: 1, columns: 1, sums: [], relaxed: true, shared: false }),
  )
  return relaxedSimd
}

/**
 * Encodes, verifies and reconstructs stripes of one code in one memory. Every call is synchronous, and works on
 * `[offset, offset + shardBytes)` of the shards it needs: a part of all shards, such as a range to be read, is reconstructed by
 * shifting the offsets. `shardBytes` may be anything, 0 included; nothing outside the shards is written.
 *
 * All methods throw RangeError when a shard lies outside the memory or a written shard overlaps another.
 *
 * Not for concurrent use: each thread makes its own, over the same memory. Tables live in a small memory of the kernel's own:
 * the parity rows' at 0, then those of the last recovery.
 */
export class Kernel {
  readonly code: Code
  readonly memory: WebAssembly.Memory
  readonly relaxed: boolean
  readonly #tables = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  readonly #shared: boolean
  readonly #encoding: Plan
  /** By their shape as text. */
  readonly #instances = new Map<string, WebAssembly.Instance>()
  /** Least recently used first. */
  readonly #plans = new Map<string, Plan>()
  #loaded: Plan | undefined

  constructor(code: Code, memory: WebAssembly.Memory, relaxed: boolean) {
    this.code = code
    this.memory = memory
    this.relaxed = relaxed
    this.#shared = memory.buffer instanceof SharedArrayBuffer
    const data = range(0, code.k)
    this.#encoding = this.#prepare({ sources: data, rows: parityRows(code) }, range(code.k, code.total))
    new Uint8Array(this.#tables.buffer).set(this.#encoding.tables)
  }

  /** Computes the parity shards of the k data shards. */
  encode(shards: ShardOffsets, shardBytes: number): void {
    this.#run('apply', shards, this.#encoding, shardBytes)
  }

  /** Whether the parity shards are exactly those of the data shards. */
  verify(shards: ShardOffsets, shardBytes: number): boolean {
    return this.#run('check', shards, this.#encoding, shardBytes) !== 0
  }

  /**
   * Computes the shards `wanted` (data or parity, in place) from as few of the shards `available` as there can be, preferring
   * data shards. Both are sets of shard numbers; shards in neither are not touched, and their offsets are not looked at.
   *
   * @throws {TooFewShardsError} when the available do not suffice: fewer than k of a Reed–Solomon code.
   * @throws {RangeError} when a shard is both, or there is no such shard.
   */
  reconstruct(
    shards: ShardOffsets,
    available: readonly number[],
    wanted: readonly number[],
    shardBytes: number,
  ): void {
    this.#run('apply', shards, this.#plan(available, wanted), shardBytes)
  }

  /**
   * Whether the shards `wanted` are exactly what {@link reconstruct} would make of the shards `available`; writes nothing. The
   * same sets, and the same errors.
   */
  agrees(
    shards: ShardOffsets,
    available: readonly number[],
    wanted: readonly number[],
    shardBytes: number,
  ): boolean {
    return this.#run('check', shards, this.#plan(available, wanted), shardBytes) !== 0
  }

  /** 0 when the targets of a check are not what they should be. */
  #run(name: 'apply' | 'check', shards: ShardOffsets, plan: Plan, shardBytes: number): number | undefined {
    const sources = this.#place(shards, plan.sources, shardBytes)
    const targets = this.#place(shards, plan.targets, shardBytes)
    assertApart(sources, targets, shardBytes)
    if (targets.length === 0) return undefined
    const tables = plan === this.#encoding ? 0 : this.#load(plan)
    const run = this.#instance(plan).exports[name]
    if (typeof run !== 'function') throw new TypeError(`the generated module has no function ${name}`)
    return run(tables, ...sources, ...targets, shardBytes)
  }

  /** Where the tables of a recovery are. */
  #load(plan: Plan): number {
    const at = this.#encoding.tables.length
    if (this.#loaded !== plan) {
      new Uint8Array(this.#tables.buffer).set(plan.tables, at)
      this.#loaded = plan
    }
    return at
  }

  #instance({ key, shape }: Plan): WebAssembly.Instance {
    let instance = this.#instances.get(key)
    if (instance === undefined) {
      instance = new WebAssembly.Instance(moduleFor(key, shape), {
        [IMPORTS.module]: { [IMPORTS.shards]: this.memory, [IMPORTS.tables]: this.#tables },
      })
      this.#instances.set(key, instance)
    }
    return instance
  }

  #plan(available: readonly number[], wanted: readonly number[]): Plan {
    const have = this.#set(available)
    const want = this.#set(wanted)
    const key = `${have}>${want}`
    const known = this.#plans.get(key)
    const plan = known ?? this.#newPlan(have, want)
    this.#plans.delete(key)
    this.#plans.set(key, plan)
    if (this.#plans.size > ERASURE_RECOVERY_PLANS_MAX) {
      const [oldest] = this.#plans.keys()
      if (oldest !== undefined) this.#plans.delete(oldest)
    }
    return plan
  }

  #newPlan(have: number, want: number): Plan {
    const wanted = members(want)
    return this.#prepare(planRecovery(this.code, members(have), wanted), wanted)
  }

  #prepare(recovery: RecoveryPlan, wanted: readonly number[]): Plan {
    const { sources, multiplied, sums } = schedule(this.code, recovery, wanted)
    const operands = [...sources, ...multiplied.map(({ shard }) => shard)]
    const shape = {
      rows: multiplied.length,
      columns: sources.length,
      sums: sums.map(({ of }) => of.map((shard) => operands.indexOf(shard))),
      relaxed: this.relaxed,
      shared: this.#shared,
    }
    return {
      sources,
      targets: [...multiplied, ...sums].map(({ shard }) => shard),
      tables: tablesOf(multiplied.map(({ row }) => row)),
      shape,
      key: JSON.stringify(shape),
    }
  }

  /** Shard numbers as bits of an unsigned 32-bit integer. */
  #set(numbers: readonly number[]): number {
    let bits = 0
    for (const shard of numbers) {
      if (!Number.isInteger(shard) || shard < 0 || shard >= this.code.total) {
        throw new RangeError(`${this.code.name} has no shard ${shard}`)
      }
      bits |= 1 << shard
    }
    return bits >>> 0
  }

  /** The offsets of the numbered shards, each checked to lie in the memory. */
  #place(shards: ShardOffsets, numbers: readonly number[], shardBytes: number): number[] {
    const size = this.memory.buffer.byteLength
    if (!Number.isSafeInteger(shardBytes) || shardBytes < 0) {
      throw new RangeError(`not a shard size: ${shardBytes}`)
    }
    return numbers.map((shard) => {
      const offset = shards[shard]
      if (offset === undefined || !Number.isSafeInteger(offset) || offset < 0 || offset + shardBytes > size) {
        throw new RangeError(
          `shard ${shard} of ${shardBytes} bytes at ${String(offset)} is outside the memory of ${size}`,
        )
      }
      return offset
    })
  }
}

/** How to compute some shards from others, ready for the generated code. */
interface Plan {
  /** Shard numbers, in the order of the code's parameters. */
  readonly sources: readonly number[]
  readonly targets: readonly number[]
  readonly tables: Uint8Array
  readonly shape: Shape
  /** The shape as text. */
  readonly key: string
}

/**
 * Compiled modules of this thread, by shape. A program uses a handful. There are at most a few thousand without sums; a locally
 * repairable code has some dozens with them (lrc-6-3-3: 78 for all its 2,425 sets of losses).
 */
const modules = new Map<string, WebAssembly.Module>()

function moduleFor(key: string, shape: Shape): WebAssembly.Module {
  let compiled = modules.get(key)
  if (compiled === undefined) {
    compiled = new WebAssembly.Module(generate(shape))
    modules.set(key, compiled)
  }
  return compiled
}

/** The nibble tables of a matrix, row by row. */
function tablesOf(rows: Matrix): Uint8Array {
  const columns = rows[0]?.length ?? 0
  const tables = new Uint8Array(rows.length * columns * NIBBLE_TABLE_BYTES)
  for (const [at, coefficient] of rows.flat().entries()) {
    tables.set(nibbleTable(coefficient), at * NIBBLE_TABLE_BYTES)
  }
  return tables
}

/** Refuses written shards that overlap a read one or each other: the result would depend on the order of the loop. */
function assertApart(read: readonly number[], written: readonly number[], shardBytes: number): void {
  for (let i = 0; i < written.length; i++) {
    const target = written[i] ?? 0
    for (const source of read) assertDistance(target, source, shardBytes)
    for (let j = i + 1; j < written.length; j++) assertDistance(target, written[j] ?? 0, shardBytes)
  }
}

function assertDistance(a: number, b: number, shardBytes: number): void {
  if (Math.abs(a - b) >= shardBytes) return
  throw new RangeError(`shards of ${shardBytes} bytes at ${a} and ${b} overlap`)
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}

/** The positions of the bits that are set, ascending. */
function members(bits: number): number[] {
  return range(0, 32).filter((bit) => ((bits >>> bit) & 1) === 1)
}
