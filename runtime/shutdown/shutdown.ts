import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

/** What is open, closed in the reverse order of opening. */
export interface Shutdown {
  /** Adds what has just been opened. */
  add(name: string, close: () => Promise<void> | void): void
  /**
   * Closes everything once, the last opened first; later calls get the same promise. A failure to close is logged and
   * the rest is closed all the same.
   * @returns whether everything was closed without a failure within `graceMs`
   */
  close(): Promise<boolean>
}

export function createShutdown(options: {
  readonly clock: Clock
  readonly log: Log
  readonly graceMs: number
}): Shutdown {
  const { clock, log, graceMs } = options
  const open: { readonly name: string; close(): Promise<void> | void }[] = []
  let closing: Promise<boolean> | undefined

  async function closeAll(): Promise<boolean> {
    let clean = true
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      try {
        await one.close()
      } catch (error) {
        clean = false
        log.error('could not be closed', { what: one.name, error })
      }
    }
    return clean
  }

  async function closeInTime(): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<boolean>()
    const cancel = clock.after(graceMs, () => {
      log.error('closing took too long', { graceMs, left: open.map(({ name }) => name) })
      resolve(false)
    })
    try {
      return await Promise.race([closeAll(), late])
    } finally {
      cancel()
    }
  }

  return {
    add(name, close) {
      open.push({ name, close })
    },
    close: () => (closing ??= closeInTime()),
  }
}
