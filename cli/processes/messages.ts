import { z } from 'zod'

/** What a service tells the process that started it, over Node's IPC channel. */
const readyMessage = z.strictObject({
  ready: z.literal(true),
  /** host:port it listens on. */
  address: z.string(),
})

export type ReadyMessage = z.output<typeof readyMessage>

/** The message, or undefined for anything else. */
export function parseReadyMessage(value: unknown): ReadyMessage | undefined {
  return readyMessage.safeParse(value).data
}
