/** Gathers blobs that seemed wrong, and tells of those that still do after a pause. */

import { FSCK_SECOND_LOOK_MS, FSCK_SUSPECTS_MAX } from '../../core/limits.ts'
import type { FsckContext } from './context.ts'
import type { Finding } from './finding.ts'
import { waitingGarbage } from './outbox.ts'
import { lookAgain, type Suspect } from './second-look.ts'

export class Suspects {
  readonly #context: FsckContext
  #waiting = new Map<string, Suspect>()
  /** Monotonic milliseconds of the last one that came. */
  #lastMs = 0

  constructor(context: FsckContext) {
    this.#context = context
  }

  /** Looks at them when there are enough. @throws as {@link settle} */
  async add(suspect: Suspect): Promise<void> {
    this.#lastMs = this.#context.world.clock.monotonicMs()
    this.#waiting.set(`${suspect.group}/${suspect.blob}`, suspect)
    if (this.#waiting.size >= FSCK_SUSPECTS_MAX) await this.settle()
  }

  /** Looks at all that wait. @throws {MetadataError} metadata cannot be reached, or the signal's reason */
  async settle(): Promise<void> {
    if (this.#waiting.size === 0) return
    const suspects = [...this.#waiting.values()]
    this.#waiting = new Map()
    const { world, signal, counts, tell } = this.#context
    const { clock } = world
    await clock.sleep(Math.max(0, this.#lastMs + FSCK_SECOND_LOOK_MS - clock.monotonicMs()), signal)
    const strays = new Map<string, Finding>()
    for (const { findings, young, stray } of await lookAgain(this.#context, suspects)) {
      for (const finding of findings) tell(finding)
      if (young) counts.young++
      if (stray?.blob !== undefined) strays.set(stray.blob, stray)
    }
    if (strays.size === 0) return
    const garbage = await waitingGarbage(this.#context, new Set(strays.keys()))
    counts.garbage += garbage.size
    for (const [blob, finding] of strays) if (!garbage.has(blob)) tell(finding)
  }
}
