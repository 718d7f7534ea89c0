import type { CommandRow } from '../command-row.ts'
import type { Flags } from '../program.ts'
import { resolveConfig, type ConfigSchema } from '../../runtime/config/layers.ts'
import { TARGET_VARIABLES } from '../target.ts'
import type { World } from '../world.ts'
import { acceptRestore } from './accept-restore.ts'
import { backup } from './backup.ts'
import { acceptRestoreConfig, backupConfig, recoverConfig, restoreConfig, verifyConfig } from './config.ts'
import { recover } from './recover.ts'
import { restore } from './restore.ts'
import { verify } from './verify.ts'

/** Does what a command on the metadata itself says. Resolves to the exit code. */
export async function runMetadataCommand(
  { name }: CommandRow,
  args: readonly string[],
  flags: Flags,
  world: World,
): Promise<number> {
  const [file = ''] = args
  const environment = Object.fromEntries(TARGET_VARIABLES.map((key) => [key, world.environment[key]]))
  const { workingDirectory } = world
  const config = <S extends ConfigSchema>(schema: S) =>
    resolveConfig(schema, { environment, flags, workingDirectory })
  switch (name) {
    case 'backup':
      return await backup(config(backupConfig), world)
    case 'verify':
      return await verify(file, config(verifyConfig), world)
    case 'restore':
      return await restore(file, config(restoreConfig), world)
    case 'recover':
      return await recover(config(recoverConfig), world)
    case 'accept-restore':
      return await acceptRestore(config(acceptRestoreConfig), world)
    default:
      throw new Error(`no command metadata ${name}`)
  }
}
