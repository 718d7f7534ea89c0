import { STATUS_WATCH_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { CommandError } from '../failure.ts'
import { assessCluster, type ClusterStatus } from '../status/assess.ts'
import { lookAtCluster } from '../status/look.ts'
import type { World } from '../world.ts'
import { progressOf, renderProgress, type Earlier, type Followed } from './progress.ts'

const SILENT = 'Metadata does not answer; waiting for it. Ctrl-C ends the watching only.\n'

/**
 * Says how far it is until it is done.
 * @param signal aborted: it goes on in the background, unwatched
 * @returns whether it is done
 * @throws {CommandError} it cannot go on by itself
 */
export async function follow(
  api: MetadataApi,
  followed: Followed,
  world: Pick<World, 'clock' | 'err'>,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, err } = world
  let first: Earlier | undefined
  let said = ''
  while (!signal.aborted) {
    const status = await lookWithPatience(api, world, signal)
    if (status !== undefined) {
      const atMs = clock.monotonicMs()
      const progress = progressOf(status, followed, first, atMs)
      first ??= { atMs, slotsLeft: progress.slotsLeft, shardsLeft: progress.shardsLeft }
      const line = renderProgress(progress)
      if (line !== said) err(`${line}\n`)
      said = line
      if (progress.done) return true
      if (progress.stuck !== '') {
        throw new CommandError(progress.stuck, { hints: ['Add a node to the zone: ashlar node add.'] })
      }
    }
    if (status === undefined && said !== SILENT && !signal.aborted) {
      err(SILENT)
      said = SILENT
    }
    await clock.sleep(STATUS_WATCH_MS, signal).catch(() => undefined)
  }
  err('It goes on in the background; ashlar status shows how far it is.\n')
  return false
}

/** Undefined when metadata does not answer: it comes back, and the work goes on without who watches it. */
async function lookWithPatience(
  api: MetadataApi,
  { clock }: Pick<World, 'clock'>,
  signal: AbortSignal,
): Promise<ClusterStatus | undefined> {
  try {
    return assessCluster(await lookAtCluster(api, clock, signal), clock.nowMs())
  } catch (error) {
    if (signal.aborted || error instanceof CommandError) return undefined
    throw error
  }
}
