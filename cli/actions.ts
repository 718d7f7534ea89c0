import { resolveConfig, type ConfigSchema } from '../runtime/config/layers.ts'
import { showCredentials } from './credentials/command.ts'
import { credentialsConfig } from './credentials/config.ts'
import { fsckConfig } from './fsck/config.ts'
import type { Actions, Flags } from './program.ts'
import { runService } from './service/command.ts'
import { startConfig } from './start/config.ts'
import { runStatus } from './status/command.ts'
import { statusConfig } from './status/config.ts'
import type { World } from './world.ts'

/** What the commands do in this world. */
export function createActions(world: World): Actions {
  const { environment, workingDirectory } = world
  const resolve = <S extends ConfigSchema>(schema: S, flags: Flags) =>
    resolveConfig(schema, { environment, flags, workingDirectory })
  return {
    async start(flags) {
      const config = resolve(startConfig, flags)
      // Its parts are those of every service; the other commands do without them.
      const { runStart } = await import('./start/command.ts')
      return await runStart(config, world)
    },
    service: (kind, configFile, flags) => runService(kind, configFile, flags, world),
    status: (flags) => runStatus(resolve(statusConfig, flags), world),
    async fsck(flags) {
      const config = resolve(fsckConfig, flags)
      if (config.rebuild) {
        const { runRebuild } = await import('./fsck/rebuild.ts')
        return await runRebuild(config, world)
      }
      const { runFsck } = await import('./fsck/command.ts')
      return await runFsck(config, world)
    },
    async topology(command, args, flags) {
      const { runTopology } = await import('./topology/run.ts')
      return await runTopology(command, args, flags, world)
    },
    async partition(command, args, flags) {
      const { runPartition } = await import('./partition/run.ts')
      return await runPartition(command, args, flags, world)
    },
    async metadata(command, args, flags) {
      const { runMetadataCommand } = await import('./metadata/run.ts')
      return await runMetadataCommand(command, args, flags, world)
    },
    async credentials(flags) {
      world.out(await showCredentials(resolve(credentialsConfig, flags), environment))
      return 0
    },
  }
}
