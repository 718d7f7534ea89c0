/**
 * The part of the WebAssembly JavaScript API that Ashlar uses. WebAssembly is a pure computation of the language's
 * engine, so core may use it, but its types come with the DOM library or with Node's, and core is compiled with neither.
 *
 * Source: https://webassembly.github.io/spec/js-api/
 */
declare namespace WebAssembly {
  interface MemoryDescriptor {
    /** Pages of 64 KiB. */
    initial: number
    /** Required for a shared memory. */
    maximum?: number
    shared?: boolean
  }

  class Memory {
    constructor(descriptor: MemoryDescriptor)
    /** A SharedArrayBuffer when the memory is shared. Growing an unshared memory detaches it. */
    readonly buffer: ArrayBuffer | SharedArrayBuffer
    grow(pages: number): number
  }

  /** Compiled code; immutable, and may be posted to other threads. */
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>)
    private readonly opaque: unknown
  }

  /** Exported functions of numeric types: i32 parameters are taken modulo 2^32; no result is `undefined`. */
  type ExportedFunction = (...parameters: number[]) => number | undefined

  class Instance {
    constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>)
    /** The modules Ashlar generates export functions only. */
    readonly exports: Readonly<Record<string, ExportedFunction>>
  }

  /** Whether the engine accepts the bytes as a module: how optional instructions are detected. */
  function validate(bytes: Uint8Array<ArrayBuffer>): boolean
}
