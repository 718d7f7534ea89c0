/** What lies behind the prefix: one byte that no prefix has in it, so that one prefix may begin with another. */
const DATA = 0x01
const MARK = 0x02
const SIGNPOST = 0x03
const UPKEEP = 0x04
/** After all of them. */
const END = 0x05

/** The keys of one cluster in an ensemble. */
export class EtcdKeys {
  readonly #prefix: Uint8Array

  constructor(prefix: string) {
    this.#prefix = Uint8Array.from(prefix, (letter) => letter.charCodeAt(0))
  }

  /** Bytes that a key grows by. */
  get overhead(): number {
    return this.#prefix.length + 1
  }

  data(key: Uint8Array): Uint8Array {
    return this.#of(DATA, key)
  }

  /** The commits under a fence (commits.ts). */
  mark(fence: Uint8Array): Uint8Array {
    return this.#of(MARK, fence)
  }

  signpost(key: Uint8Array): Uint8Array {
    return this.#of(SIGNPOST, key)
  }

  get signposts(): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
    return { gte: this.#of(SIGNPOST), lt: this.#of(UPKEEP) }
  }

  upkeep(name: string): Uint8Array {
    return this.#of(
      UPKEEP,
      Uint8Array.from(name, (letter) => letter.charCodeAt(0)),
    )
  }

  /** A key in which nothing is ever put. */
  get nothing(): Uint8Array {
    return this.#of(END)
  }

  /** The key that the caller gave; a copy. */
  strip(key: Uint8Array): Uint8Array {
    return new Uint8Array(key.subarray(this.#prefix.length + 1))
  }

  #of(kind: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
    return concatBytes(this.#prefix, Uint8Array.of(kind), rest)
  }
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}
