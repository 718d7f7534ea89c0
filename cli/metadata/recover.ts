import type { z } from 'zod'
import { EngineNotEmptyError } from '../../metadata/backup/restore.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { Holdings } from '../../metadata/journal/holdings.ts'
import { findRecoveryPoint, NothingToRecoverError, recoverInto } from '../../metadata/journal/recover.ts'
import { CommandError } from '../failure.ts'
import { formatCount } from '../format.ts'
import { plural } from '../plural.ts'
import type { World } from '../world.ts'
import type { recoverConfig } from './config.ts'
import { Progress } from './progress.ts'
import { openRecoverySource } from './recovery-source.ts'
import { holdMetadataFolder } from './restore-target.ts'

/** Brings metadata back from the copy on the storage nodes. Resolves to the exit code. */
export async function recover(config: z.output<typeof recoverConfig>, world: World): Promise<number> {
  const progress = new Progress(world)
  // First of all: nobody may be writing there, nor to the nodes below it.
  const held = await holdMetadataFolder(config.data, undefined, world)
  try {
    const source = await openRecoverySource(config, held.cluster, world)
    try {
      const { shards, nodes } = source
      const holdings = await Holdings.of(shards, nodes, (node, error) => {
        world.err(`storage node ${node} does not say what it holds: ${String(error)}\n`)
      })
      const point = await findRecoveryPoint(holdings, progress.of('check'))
      for (const line of point.damaged) world.err(`${line}\n`)
      const { clusterId, at } = point.header
      const expected = held.cluster?.clusterId
      if (expected !== undefined && expected !== clusterId) {
        throw new CommandError(
          `the storage nodes hold the metadata of cluster ${clusterId}, not of ${expected}`,
        )
      }
      const engine = await LevelEngine.open(held.folder)
      try {
        const { untilMs, segments } = await recoverInto(engine, {
          holdings,
          point,
          nowMs: world.clock.nowMs(),
          random: world.random,
          progress(entries, done) {
            progress.say(() => `recover: ${formatCount(entries)} records, ${plural(done, 'segment')}`)
          },
        })
        await held.use()
        world.out(recoveredText(held.folder, clusterId, at, untilMs, segments))
      } finally {
        await engine.close()
      }
    } finally {
      await source.close()
    }
  } catch (error) {
    if (error instanceof EngineNotEmptyError) {
      const hints = ['Move what is there away first: a recovery writes over nothing.']
      throw new CommandError(error.message, { hints, cause: error })
    }
    if (error instanceof NothingToRecoverError) throw new CommandError(error.message, { cause: error })
    throw error
  } finally {
    held.release()
  }
  return 0
}

function recoveredText(
  folder: string,
  clusterId: string,
  baseAt: string,
  untilMs: number,
  segments: number,
): string {
  return [
    `The metadata of cluster ${clusterId} is in ${folder} again, up to ${new Date(untilMs).toISOString()}:`,
    `the base of ${baseAt} and ${plural(segments, 'segment')} of the journal after it.`,
    'Objects written after that moment are not known to it, though their bytes may still be on the storage nodes: nothing that',
    'no record names is removed from there until you say `ashlar metadata accept-restore` to the running cluster.',
    '',
  ].join('\n')
}
