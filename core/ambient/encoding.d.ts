/**
 * The part of the Encoding Standard (WHATWG, https://encoding.spec.whatwg.org/) that core/ may use. Only
 * tsconfig.core.json reads this file: elsewhere Node's own types say the same.
 */
declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean })
  /** Throws `TypeError` where `fatal` and `input` is not well formed. */
  decode(input?: ArrayBuffer | ArrayBufferView): string
}
