import type { z } from 'zod'
import { verifyBackup, type VerifiedBackup } from '../../metadata/backup/verify.ts'
import { EXIT_FAILURE } from '../failure.ts'
import { formatBytes, formatCount, table } from '../format.ts'
import { plural } from '../plural.ts'
import type { World } from '../world.ts'
import { readBackupFile } from './backup-file.ts'
import type { verifyConfig } from './config.ts'
import { Progress } from './progress.ts'

/** Says what is in a backup and what is wrong with it. Resolves to the exit code: 1 if anything is. */
export async function verify(
  path: string,
  { json }: z.output<typeof verifyConfig>,
  world: World,
): Promise<number> {
  const verified = await readBackupFile(path, (file) => verifyBackup(file, new Progress(world).of('verify')))
  world.out(json ? `${JSON.stringify(verified, null, 2)}\n` : textOf(verified))
  return verified.faultCount === 0 ? 0 : EXIT_FAILURE
}

function textOf({ header, trailer, fileBytes, counts, faults, faultCount, notes }: VerifiedBackup): string {
  const more = faultCount - faults.length
  return [
    `Backup of cluster ${header.clusterId} as of ${header.at}, by Ashlar ${header.program}`,
    `${formatCount(trailer.entries)} records of ${formatBytes(trailer.bytes)} in ${formatBytes(fileBytes)}; every byte is as it was written`,
    '',
    ...table([['RECORDS', 'COUNT'], ...counts.map(({ name, count }) => [name, formatCount(count)])]),
    '',
    ...faults.map((fault) => `Problem: ${fault}`),
    ...(more > 0 ? [`Problem: and ${formatCount(more)} more`] : []),
    ...notes.map((note) => `Note: ${note}`),
    faultCount === 0
      ? 'Every record can be read, and they fit each other.'
      : `${plural(faultCount, 'problem')}.`,
    '',
  ].join('\n')
}
