/** A check asked of the process that has the nodes: `ashlar start` without `--separate` has them where no network leads. */

import type { AdminStream } from '../../runtime/admin/server.ts'
import { adminToken } from '../../runtime/admin/access.ts'
import type { Random } from '../../runtime/ports/random.ts'
import type { FsckOptions, FsckWorld } from '../../workers/fsck/context.ts'
import { CommandError } from '../failure.ts'
import { checkEvents, type FsckEvent } from './events.ts'

export const FSCK_PATH = '/v1/fsck'

/** Answers with the events of a check, a line of JSON each. */
export function fsckStream(world: FsckWorld & { readonly random: Random }): AdminStream {
  return async function* (query, signal) {
    const bucket = query.get('bucket') ?? undefined
    const prefix = query.get('prefix') ?? undefined
    try {
      const bytesPerSecond = Number(query.get('bytesPerSecond') ?? 0)
      const options = { bucket, prefix, deep: query.get('deep') === 'true', bytesPerSecond }
      for await (const event of checkEvents(world, options, signal)) yield `${JSON.stringify(event)}\n`
    } catch (error) {
      yield `${JSON.stringify({ failure: error instanceof Error ? error.message : String(error) })}\n`
    }
  }
}

/** The same events on the other side. @throws {CommandError} nothing answers there, or it breaks off */
export async function* eventsFrom(
  address: string,
  secret: string,
  { bucket, prefix, deep, bytesPerSecond = 0 }: FsckOptions,
  signal: AbortSignal,
): AsyncGenerator<FsckEvent> {
  const url = new URL(`http://${address}${FSCK_PATH}`)
  if (bucket !== undefined) url.searchParams.set('bucket', bucket)
  if (prefix !== undefined) url.searchParams.set('prefix', prefix)
  if (deep) url.searchParams.set('deep', 'true')
  if (bytesPerSecond > 0) url.searchParams.set('bytesPerSecond', String(bytesPerSecond))
  const headers = { authorization: `Bearer ${adminToken(secret)}` }
  try {
    const answer = await fetch(url, { headers, signal })
    if (!answer.ok || answer.body === null) throw new Error(`it answers ${answer.status}`)
    let text = ''
    for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (text + piece).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) yield eventOf(line)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`the cluster's process at ${address} does not check itself: ${reason}`, {
      cause: error,
    })
  }
}

/** A line of the other side, which is this very program. */
function eventOf(line: string): FsckEvent {
  const value: unknown = JSON.parse(line)
  if (!isEvent(value)) throw new Error('it answers something else')
  return value
}

function isEvent(value: unknown): value is FsckEvent {
  if (typeof value !== 'object' || value === null) return false
  return ['finding', 'progress', 'result', 'failure'].some((name) => name in value)
}
