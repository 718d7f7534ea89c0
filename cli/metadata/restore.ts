import type { z } from 'zod'
import { checkBackup, readChunks, type BackupSource } from '../../metadata/backup/format/reader.ts'
import { EngineNotEmptyError, restoreInto } from '../../metadata/backup/restore.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { EngineSpecError } from '../../metadata/engine/open.ts'
import { CommandError, EXIT_USAGE } from '../failure.ts'
import { formatCount } from '../format.ts'
import type { World } from '../world.ts'
import { readBackupFile } from './backup-file.ts'
import type { restoreConfig } from './config.ts'
import { Progress } from './progress.ts'
import { openRestoreTarget } from './restore-target.ts'

/** Fills an empty engine from a backup. Resolves to the exit code. */
export async function restore(
  path: string,
  config: z.output<typeof restoreConfig>,
  world: World,
): Promise<number> {
  const progress = new Progress(world)
  await readBackupFile(path, async (file) => {
    // All of it before anything is written: what is torn at its end is found now.
    const { header, trailer } = await checkBackup(file, progress.of('check'))
    const target = await openRestoreTarget(config, header.clusterId, world)
    try {
      const written = await restoreInto(target.engine, {
        entries: entriesOf(file),
        backupMs: header.atMs,
        restoredMs: world.clock.nowMs(),
        source: `a backup of ${header.at}`,
        random: world.random,
        progress: (entries) => {
          progress.say(
            () => `restore: ${formatCount(entries)} of about ${formatCount(trailer.entries)} records`,
          )
        },
      })
      await target.use()
      world.out(restoredText(written, target.name, header.at))
    } finally {
      await target.close()
    }
  }).catch((error: unknown) => {
    if (error instanceof EngineSpecError) {
      throw new CommandError(error.message, { exitCode: EXIT_USAGE, cause: error })
    }
    if (error instanceof EngineNotEmptyError) {
      const hints = ['Move what is there away first: a restore writes over nothing.']
      throw new CommandError(error.message, { hints, cause: error })
    }
    throw error
  })
  return 0
}

/** What to know then. @param at the moment it shows */
function restoredText(records: number, into: string, at: string): string {
  return [
    `${formatCount(records)} records restored into ${into}, as of ${at}.`,
    'Objects written after that moment are not known to it, though their bytes may still be on the storage nodes: nothing that',
    'no record names is removed from there until you say `ashlar metadata accept-restore` to the running cluster.',
    '',
  ].join('\n')
}

async function* entriesOf(source: BackupSource): AsyncGenerator<readonly EngineEntry[]> {
  for await (const { entries } of readChunks(source)) yield entries
}
