/**
 * The part of the WebAssembly JavaScript Interface (W3C, https://www.w3.org/TR/wasm-js-api-2/) that core/ uses:
 * pure computation, yet TypeScript declares it only together with the browser. Declared for the whole project,
 * as Node's types leave it out too. Functions of 32-bit and floating-point values only; memories are not shared.
 */
declare namespace WebAssembly {
  /** A module did not validate. */
  class CompileError extends Error {}
  /** A module's imports do not fit. */
  class LinkError extends Error {}
  /** A trap: an access outside the memory, a division by zero. */
  class RuntimeError extends Error {}

  /** Compiled code. Throws `CompileError`. */
  // oxlint-disable-next-line typescript/no-extraneous-class -- the standard says so
  class Module {
    constructor(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>)
  }

  /** Code bound to its imports. Throws `LinkError`. */
  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Readonly<Record<string, ExportValue>>
  }

  /** Linear memory in pages of 64 KiB. */
  class Memory {
    constructor(descriptor: { initial: number; maximum?: number })
    /** Replaced by a new buffer (and the old one detached) whenever the memory grows. */
    readonly buffer: ArrayBuffer
    /** Adds pages; returns how many there were. Throws `RangeError` past the maximum. */
    grow(pages: number): number
  }

  type ExportedFunction = (...values: number[]) => number | undefined
  type ExportValue = ExportedFunction | Memory
  type Imports = Readonly<Record<string, Readonly<Record<string, ExportValue>>>>

  /** Whether `bytes` are a module that this engine can run: the way to ask for a feature such as relaxed SIMD. */
  function validate(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>): boolean
}
