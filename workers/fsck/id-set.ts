/** A set of blob ids in few bytes: 32 for each at most, without garbage to collect. */

const WORDS = 4
const SLOTS_MIN = 1024
/** Slots in use, at most, of all. */
const LOAD = 0.5

export class IdSet {
  /** Four words a slot; all zero: free. */
  #slots = new Uint32Array(SLOTS_MIN * WORDS)
  #size = 0
  /** The id of zeros, which looks like a free slot. */
  #zero = false

  get size(): number {
    return this.#size + Number(this.#zero)
  }

  /** @param id 32 lower-case hex digits */
  add(id: string): void {
    const words = wordsOf(id)
    if (words.every((word) => word === 0)) {
      this.#zero = true
      return
    }
    if ((this.#size + 1) * WORDS > this.#slots.length * LOAD) this.#grow()
    if (put(this.#slots, words)) this.#size++
  }

  has(id: string): boolean {
    const words = wordsOf(id)
    if (words.every((word) => word === 0)) return this.#zero
    return isAt(this.#slots, slotOf(this.#slots, words), words)
  }

  #grow(): void {
    const before = this.#slots
    this.#slots = new Uint32Array(before.length * 2)
    for (let at = 0; at < before.length; at += WORDS) {
      const words = before.subarray(at, at + WORDS)
      if (words.some((word) => word !== 0)) put(this.#slots, [...words])
    }
  }
}

type Words = readonly number[]

function wordsOf(id: string): Words {
  return [0, 8, 16, 24].map((at) => Number.parseInt(id.slice(at, at + 8), 16))
}

/** Where the id is, or would be. */
function slotOf(slots: Uint32Array, words: Words): number {
  const count = slots.length / WORDS
  // The last words are random; the first are the time.
  let slot = ((words[2] ?? 0) ^ (words[3] ?? 0)) >>> 0
  for (;;) {
    slot %= count
    const at = slot * WORDS
    if (isFree(slots, at) || isAt(slots, at, words)) return at
    slot++
  }
}

function put(slots: Uint32Array, words: Words): boolean {
  const at = slotOf(slots, words)
  if (isAt(slots, at, words)) return false
  slots.set(words, at)
  return true
}

function isFree(slots: Uint32Array, at: number): boolean {
  return slots[at] === 0 && slots[at + 1] === 0 && slots[at + 2] === 0 && slots[at + 3] === 0
}

function isAt(slots: Uint32Array, at: number, words: Words): boolean {
  return words.every((word, i) => slots[at + i] === word)
}
