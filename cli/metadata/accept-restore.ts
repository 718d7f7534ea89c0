import type { z } from 'zod'
import type { RestoreSpan } from '../../proto/gen/ashlar/v1/records_pb.js'
import { askMetadata, targetOf } from '../target.ts'
import type { World } from '../world.ts'
import type { acceptRestoreConfig } from './config.ts'

/** Tells metadata that what a restore has lost was dealt with. Resolves to the exit code. */
export async function acceptRestore(
  config: z.output<typeof acceptRestoreConfig>,
  world: World,
): Promise<number> {
  const { api, close } = await askMetadata(await targetOf(config), world)
  try {
    const { spans } = await api.call('acceptRestore', {})
    const lines = spans.length === 0 ? ['There is no restore to be accepted.'] : spans.map(acceptedLine)
    world.out(`${lines.join('\n')}\n`)
    return 0
  } finally {
    await close()
  }
}

function acceptedLine({ backupMs, restoredMs, source }: RestoreSpan): string {
  const from = new Date(Number(backupMs)).toISOString()
  const to = new Date(Number(restoredMs)).toISOString()
  return `Accepted: the restore from ${source}; what was written from ${from} to ${to} and no record names may be removed.`
}
