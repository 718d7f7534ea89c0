/**
 * The part of the WebAssembly JavaScript Interface (W3C, https://www.w3.org/TR/wasm-js-api-2/) that core/ uses:
 * pure computation, yet TypeScript declares it only together with the browser. Declared for the whole project,
 * as Node's types leave it out too. Functions of 32-bit and floating-point values only.
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
    /** A shared memory needs a maximum. Throws `RangeError` when there is no room for it. */
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    /** Shared if the memory is; otherwise replaced by a new one (and the old one detached) whenever it grows. */
    readonly buffer: ArrayBuffer | SharedArrayBuffer
    /** Adds pages; returns how many there were. Throws `RangeError` past the maximum. */
    grow(pages: number): number
  }

  type ExportedFunction = (...values: number[]) => number | undefined
  type ExportValue = ExportedFunction | Memory
  type Imports = Readonly<Record<string, Readonly<Record<string, ExportValue>>>>

  /** Whether `bytes` are a module that this engine can run: the way to ask for a feature such as relaxed SIMD. */
  function validate(bytes: ArrayBuffer | ArrayBufferView<ArrayBuffer>): boolean
}
