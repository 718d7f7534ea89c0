import { resolveConfig, type ConfigSchema } from '../../runtime/config/layers.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Flags } from '../program.ts'
import { askMetadata, type TargetConfig, targetOf } from '../target.ts'
import type { World } from '../world.ts'
import { changePartitions, planMerge, planMove, planSplit, type PlannedChange } from './change.ts'
import { moveConfig, partitionConfig, type PartitionCommand, splitConfig } from './commands.ts'
import { assessPartitions } from './assess.ts'
import { renderChanged, renderPartitions } from './render.ts'

/** Of the environment, only what says which cluster is meant. */
const TARGET_VARIABLES = ['ASHLAR_DATA', 'ASHLAR_METADATA', 'ASHLAR_SECRET_FILE'] as const

/** Does what a command on the partitions says. Resolves to the exit code. */
export async function runPartition(
  { name }: PartitionCommand,
  args: readonly string[],
  flags: Flags,
  world: World,
): Promise<number> {
  const [id = ''] = args
  const environment = Object.fromEntries(TARGET_VARIABLES.map((key) => [key, world.environment[key]]))
  const { workingDirectory } = world
  const config = <S extends ConfigSchema>(schema: S) =>
    resolveConfig(schema, { environment, flags, workingDirectory })
  switch (name) {
    case 'list': {
      const options = config(partitionConfig)
      return await withMetadata(options, world, async (api) => {
        const status = assessPartitions(await api.call('getPartitions', { fresh: true }), world.clock.nowMs())
        world.out(options.json ? `${JSON.stringify(status, null, 2)}\n` : renderPartitions(status))
      })
    }
    case 'split': {
      const options = config(splitConfig)
      return await change(planSplit(id, options), options, world)
    }
    case 'merge':
      return await change(planMerge(id), config(partitionConfig), world)
    case 'move': {
      const options = config(moveConfig)
      return await change(planMove(id, options), options, world)
    }
  }
}

async function change(
  { change: planned, done }: PlannedChange,
  options: TargetConfig & { readonly json: boolean },
  world: World,
): Promise<number> {
  return await withMetadata(options, world, async (api) => {
    const { map, heldMs } = await changePartitions(api, planned)
    if (!options.json) {
      world.out(renderChanged(done, map, Number(heldMs)))
      return
    }
    const reply = await api.call('getPartitions', { fresh: true })
    const status = assessPartitions(reply, world.clock.nowMs())
    world.out(`${JSON.stringify({ heldMs: Number(heldMs), ...status }, null, 2)}\n`)
  })
}

async function withMetadata(
  config: TargetConfig,
  world: World,
  run: (api: MetadataApi) => Promise<void>,
): Promise<number> {
  const { api, close } = await askMetadata(await targetOf(config), world)
  try {
    await run(api)
    return 0
  } finally {
    await close()
  }
}
