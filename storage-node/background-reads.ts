import { BACKGROUND_READ_BYTES_PER_SECOND_MIN, BACKGROUND_READ_WAIT_MS_MAX } from '../core/limits.ts'
import { ShardError } from '../proto/shard-transport.ts'
import { type Foreground, giveWay } from './give-way.ts'

/**
 * Reads that no client waits for. Each stands still while the node has other requests, as the scrub does, but at most for as long as its
 * bytes take at BACKGROUND_READ_BYTES_PER_SECOND_MIN. One at a time, so that a request finds no more than one of them before it.
 */
export class BackgroundReads {
  readonly #foreground: Foreground
  readonly #ending = new AbortController()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(foreground: Foreground) {
    this.#foreground = foreground
  }

  /**
   * Reads once it is this one's turn.
   * @param bytes that it reads
   * @throws {ShardError} `aborted` by the signal, `unavailable` once {@link close} was called; and what `read` throws
   */
  async run<T>(bytes: number, signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
    const arrivedMs = this.#foreground.clock.monotonicMs()
    const mine = this.#turn.then(async () => {
      await this.#wait(bytes, arrivedMs, signal)
      return await read()
    })
    this.#turn = mine.catch(() => undefined)
    return await mine
  }

  /** Those that wait are refused. */
  close(): void {
    this.#ending.abort()
  }

  async #wait(bytes: number, arrivedMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#foreground
    const assertWanted = (): void => {
      if (this.#ending.signal.aborted) throw new ShardError('unavailable', 'shutting down')
      if (signal?.aborted === true) throw new ShardError('aborted', 'the caller gave up')
    }
    assertWanted()
    const costMs = (bytes * 1000) / BACKGROUND_READ_BYTES_PER_SECOND_MIN
    // Behind many others it goes on earlier, before whoever asked takes the node for dead.
    const latestMs = Math.min(clock.monotonicMs() + costMs, arrivedMs + BACKGROUND_READ_WAIT_MS_MAX)
    const wakes = AbortSignal.any([this.#ending.signal, ...(signal === undefined ? [] : [signal])])
    await giveWay(this.#foreground, latestMs, (ms) =>
      clock.sleep(ms, wakes).then(
        () => true,
        () => false,
      ),
    )
    assertWanted()
  }
}
