import type { Code } from '../../../core/erasure/code.ts'
import { createKernel, type ShardOffsets } from '../../../core/erasure/kernel.ts'
import { createStripeMemory, shardOffsets, shardStride, slotBytes } from '../../../core/erasure/memory.ts'
import type { Contestant } from '../measure.ts'

/** Data a contestant takes in one go: some milliseconds, far above the resolution of the clock. */
const BYTES_AT_ONCE = 32 * 1024 * 1024

export interface Settings {
  readonly shardBytes: number
  readonly stripes: number
  readonly rounds: number
}

/** The stripes of one memory. */
export interface Stripes {
  readonly memory: WebAssembly.Memory
  readonly slots: readonly ShardOffsets[]
  view(shard: number, slot: ShardOffsets): Uint8Array
}

export type Measured = Contestant & { readonly bytes: number }

/** One go: `each` over the stripes in turn until enough data has been taken. */
export function contestant(
  code: Code,
  stripes: Stripes,
  settings: Settings,
  each: (slot: number) => void,
): Measured {
  const times = Math.ceil(BYTES_AT_ONCE / (code.k * settings.shardBytes))
  let next = 0
  const once = (): void => {
    for (let i = 0; i < times; i++) {
      each(next)
      next = (next + 1) % stripes.slots.length
    }
  }
  return { once, bytes: times * code.k * settings.shardBytes }
}

/** Stripes full of data, encoded. */
export function stripesOf(code: Code, settings: Settings, shared: boolean): Stripes {
  const { shardBytes } = settings
  const memory = createStripeMemory(slotBytes(code, shardBytes) * settings.stripes, { shared })
  const bytes = new Uint8Array(memory.buffer)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.imul(i, 2654435761) >>> 24
  const slots = range(0, settings.stripes).map((slot) =>
    shardOffsets(code, slot * slotBytes(code, shardBytes), shardStride(shardBytes)),
  )
  const kernel = createKernel(code, memory)
  for (const slot of slots) kernel.encode(slot, shardBytes)
  return {
    memory,
    slots,
    view: (shard, slot) => new Uint8Array(memory.buffer, slot[shard], shardBytes),
  }
}

export function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}
