import { STATUS_WATCH_MS } from '../../core/limits.ts'
import { CommandError } from '../failure.ts'
import { listenForStop } from '../processes/stop.ts'
import { askMetadata, targetOf, type Asked, type Target } from '../target.ts'
import type { World } from '../world.ts'
import { assessCluster, type ClusterStatus, type ClusterView } from './assess.ts'
import type { StatusConfig } from './config.ts'
import { lastKnown } from './last-known.ts'
import { lookAtCluster } from './look.ts'
import { renderStatus } from './render.ts'

const EXIT_DEGRADED = 3

/**
 * Asks metadata for the cluster and prints it; while metadata does not answer, what the worker of a local cluster knew last.
 * Resolves to the exit code: 0 healthy, 3 degraded.
 */
export async function runStatus(config: StatusConfig, world: World): Promise<number> {
  const target = await targetOf(config)
  if (config.watch) return await watch(target, config, world)
  try {
    const status = await ask(target, world)
    world.out(textOf(status, config))
    return exitCodeOf(status)
  } catch (error) {
    const known = error instanceof CommandError ? await lastKnown(target) : undefined
    if (known === undefined || !(error instanceof CommandError)) throw error
    world.out(textOf(known, config))
    if (!config.json) world.out(`Problem: ${error.message}; this is how it was ${known.ageSeconds} s ago\n`)
    return EXIT_DEGRADED
  }
}

async function ask(target: Target, world: World): Promise<ClusterStatus> {
  const asked = await askMetadata(target, world)
  try {
    return assessCluster(await lookAtCluster(asked.api, world.clock), world.clock.nowMs())
  } finally {
    await asked.close()
  }
}

/**
 * The same again and again. While metadata does not answer, the last that it said is shown, with its age: that is when people
 * look most.
 */
async function watch(target: Target, config: StatusConfig, world: World): Promise<number> {
  const { clock } = world
  const stop = listenForStop(clock)
  let asked: Asked | undefined
  let last: ClusterView | undefined
  try {
    while (!stop.signal.aborted) {
      let failure = ''
      try {
        asked ??= await askMetadata(target, world)
        last = await lookAtCluster(asked.api, clock, stop.signal)
      } catch (error) {
        if (stop.signal.aborted) break
        // Before it has answered once, there is nothing to show and likely something wrong with the question.
        if (last === undefined || !(error instanceof CommandError)) throw error
        failure = `Problem: ${error.message}\n`
      }
      const status = assessCluster(last, clock.nowMs())
      world.out(config.json ? `${JSON.stringify(status)}\n` : `${CLEAR}${renderStatus(status)}${failure}`)
      await clock.sleep(STATUS_WATCH_MS, stop.signal).catch(() => undefined)
    }
  } finally {
    await asked?.close()
  }
  return last === undefined ? 0 : exitCodeOf(assessCluster(last, clock.nowMs()))
}

/** Clears the terminal, and goes to its first line. */
const CLEAR = '\u001B[2J\u001B[H'

function textOf(status: ClusterStatus, { json }: StatusConfig): string {
  return json ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status)
}

function exitCodeOf({ health }: ClusterStatus): number {
  return health === 'healthy' ? 0 : EXIT_DEGRADED
}
