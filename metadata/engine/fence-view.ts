import { type EngineBatch, type Fence, fenceHolds } from './engine.ts'

/** A key that a fence of the group is about, and what it holds by now. */
interface Fenced {
  readonly key: Uint8Array
  value: Uint8Array | undefined
}

/** Keys of fences, as the batches of one write change them one after another before any of it is there. */
export class FenceView {
  /** One for each partition of the group, so few that looking through them is quickest. */
  readonly #fenced: Fenced[] = []

  /**
   * @param fences of all batches of the write
   * @param read the value before the write
   */
  constructor(fences: readonly Fence[], read: (key: Uint8Array) => Uint8Array | undefined) {
    for (const { key } of fences) {
      if (this.#find(key) === undefined) this.#fenced.push({ key, value: read(key) })
    }
  }

  holds(fence: Fence): boolean {
    return fenceHolds(fence, this.#find(fence.key)?.value)
  }

  /** The batch is part of the write: what comes after it sees it. */
  apply({ puts, deletes }: Pick<EngineBatch, 'puts' | 'deletes'>): void {
    for (const key of deletes) this.#set(key, undefined)
    for (const { key, value } of puts) this.#set(key, value)
  }

  #set(key: Uint8Array, value: Uint8Array | undefined): void {
    const fenced = this.#find(key)
    if (fenced !== undefined) fenced.value = value
  }

  #find(key: Uint8Array): Fenced | undefined {
    return this.#fenced.find((one) => isSame(one.key, key))
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false
  for (let index = left.length - 1; index >= 0; index--) if (left[index] !== right[index]) return false
  return true
}
