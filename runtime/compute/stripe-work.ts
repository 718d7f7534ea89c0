/** The work itself, the same on a worker thread and on the event loop. */

import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { parseCode, type Code } from '../../core/erasure/code.ts'
import { createKernel, type Kernel } from '../../core/erasure/kernel.ts'
import { crc32cBlocks } from '../crypto/crc32c.ts'
import { createChecksum, type RunningChecksum } from '../crypto/checksum.ts'
import type { EncodeJob, ReconstructJob } from './messages.ts'
import { shardAt, shardsHeld, shardView, sumsView } from './stripe-slot.ts'

/** Encodes, hashes and reconstructs stripes in one memory. One a thread: kernels are not for concurrent use. */
export class StripeWork {
  readonly #memory: WebAssembly.Memory
  readonly #kernels = new Map<string, Kernel>()
  readonly #contents = new Map<number, readonly RunningChecksum[]>()

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory
  }

  open(content: number, digests: readonly ChecksumAlgorithm[]): void {
    this.#contents.set(content, digests.map(createChecksum))
  }

  /** Pads the data, then computes the parity shards and every shard's block checksums. */
  encode({ code: name, slot, dataBytes }: EncodeJob): void {
    const code = parseCode(name)
    this.#pad(code, { code: name, slot, dataBytes })
    if (code.kind !== 'replica') this.#kernel(code).encode(this.#offsets(code, slot), slot.shardBytes)
    for (let shard = 0; shard < shardsHeld(code); shard++) this.#sum(code, slot, shard)
  }

  /** Runs the digests of a content over the stripe's data. */
  hash(content: number, { code: name, slot, dataBytes }: EncodeJob): void {
    const code = parseCode(name)
    const running = this.#content(content)
    for (let shard = 0; shard < code.k; shard++) {
      const length = Math.min(slot.shardBytes, dataBytes - shard * slot.shardBytes)
      if (length <= 0) return
      const view = new Uint8Array(this.#memory.buffer, shardAt(code, slot, shard), length)
      for (const digest of running) digest.update(view)
    }
  }

  /** The digests, in the order asked for; the content is forgotten. */
  finish(content: number): Uint8Array[] {
    const digests = this.#content(content).map((running) => running.digest())
    this.#contents.delete(content)
    return digests
  }

  drop(content: number): void {
    this.#contents.delete(content)
  }

  /** @throws {Error} when one of the proofs fails */
  reconstruct({ code: name, slot, available, wanted, proofs }: ReconstructJob): void {
    const code = parseCode(name)
    const kernel = this.#kernel(code)
    const offsets = this.#offsets(code, slot)
    kernel.reconstruct(offsets, available, wanted, slot.shardBytes)
    if (proofs === undefined) return
    for (const shard of wanted) this.#sum(code, slot, shard)
    for (const { shard, from } of proofs) {
      if (kernel.agrees(offsets, from, [shard], slot.shardBytes)) continue
      throw new Error(`shards ${from.join()} of ${name} do not make shard ${shard}: a computation went wrong`)
    }
  }

  #sum(code: Code, slot: EncodeJob['slot'], shard: number): void {
    sumsView(this.#memory, code, slot, shard).set(crc32cBlocks(shardView(this.#memory, code, slot, shard)))
  }

  #pad(code: Code, { slot, dataBytes }: EncodeJob): void {
    for (let shard = code.k - 1; shard >= 0; shard--) {
      const used = Math.min(slot.shardBytes, dataBytes - shard * slot.shardBytes)
      if (used === slot.shardBytes) return
      shardView(this.#memory, code, slot, shard).fill(0, Math.max(0, used))
    }
  }

  #content(content: number): readonly RunningChecksum[] {
    const running = this.#contents.get(content)
    if (running === undefined) throw new RangeError(`no content ${content} is open`)
    return running
  }

  #kernel(code: Code): Kernel {
    let kernel = this.#kernels.get(code.name)
    if (kernel === undefined) {
      kernel = createKernel(code, this.#memory)
      this.#kernels.set(code.name, kernel)
    }
    return kernel
  }

  #offsets(code: Code, slot: EncodeJob['slot']): number[] {
    return Array.from({ length: code.total }, (_, shard) => shardAt(code, slot, shard))
  }
}
