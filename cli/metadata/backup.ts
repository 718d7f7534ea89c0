import type { z } from 'zod'
import packageFile from '../../package.json' with { type: 'json' }
import { BACKUP_REQUEST_TIMEOUT_MS } from '../../core/limits.ts'
import type { BackupHeader } from '../../metadata/backup/format/documents.ts'
import { takeBackup } from '../../metadata/backup/take.ts'
import { CommandError, EXIT_USAGE } from '../failure.ts'
import { formatBytes, formatCount } from '../format.ts'
import { listenForStop } from '../processes/stop.ts'
import { askMetadata, targetOf } from '../target.ts'
import type { World } from '../world.ts'
import { writeWhole } from './backup-file.ts'
import type { backupConfig } from './config.ts'
import { Progress } from './progress.ts'

/** Writes a backup of a running cluster's metadata. Resolves to the exit code. */
export async function backup(config: z.output<typeof backupConfig>, world: World): Promise<number> {
  const { to, force } = config
  if (to === undefined) {
    throw new CommandError('where to? Give the file with --to', { exitCode: EXIT_USAGE })
  }
  const { signal } = listenForStop(world.clock)
  const line = new Progress(world)
  const { api, close } = await askMetadata(await targetOf(config), world, BACKUP_REQUEST_TIMEOUT_MS)
  try {
    const { header, trailer, fileBytes } = await writeWhole(to, force, (file) =>
      takeBackup({
        api,
        file,
        program: packageFile.version,
        signal,
        progress(entries, bytes, about) {
          line.say(() => {
            const of = about === 0 ? '' : ` of about ${formatBytes(about)}`
            return `backup: ${formatCount(entries)} records, ${formatBytes(bytes)}${of}`
          })
        },
      }),
    )
    const size = formatBytes(fileBytes)
    world.out(
      `${to}: ${formatCount(trailer.entries)} records as of ${header.at}, ${size}${momentText(header)}\n`,
    )
    return 0
  } catch (error) {
    if (signal.aborted) throw new CommandError('interrupted: no backup was written', { cause: error })
    throw error
  } finally {
    await close()
  }
}

/** How the engines came to show one moment, where there are several. */
function momentText({ engines, oneMoment, heldMs }: BackupHeader): string {
  if (engines.length === 1) return ''
  return oneMoment
    ? `; one moment of ${engines.length} engines, commits held for ${heldMs} ms`
    : `; ${engines.length} engines, each as of a moment of its own: the metadata service is older than this program`
}
