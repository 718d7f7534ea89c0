import { resolveConfig, type ConfigSchema } from '../../runtime/config/layers.ts'
import type { Flags } from '../program.ts'
import type { ClusterStatus } from '../status/assess.ts'
import { TARGET_VARIABLES } from '../target.ts'
import type { World } from '../world.ts'
import type { TopologyCommand } from './commands.ts'
import {
  changeConfig,
  drainConfig,
  listConfig,
  nodeAddConfig,
  nodeRemoveConfig,
  rebalanceConfig,
  setCodeConfig,
  type ListConfig,
} from './config.ts'
import { addNode, drainNode, removeNode, undrainNode, weighNode } from './node.ts'
import { renderNodes, renderPools, renderZones } from './render.ts'
import { followIf, makeChange, withCluster } from './session.ts'
import { changeZone, drainZone } from './zone.ts'

/** Does what a command on the topology says. Resolves to the exit code. */
export async function runTopology(
  { group, name }: TopologyCommand,
  args: readonly string[],
  flags: Flags,
  world: World,
): Promise<number> {
  const [first = '', second = ''] = args
  const environment = Object.fromEntries(TARGET_VARIABLES.map((key) => [key, world.environment[key]]))
  const { workingDirectory } = world
  const config = <S extends ConfigSchema>(schema: S) =>
    resolveConfig(schema, { environment, flags, workingDirectory })
  switch (`${group ?? ''} ${name}`) {
    case 'node list':
      return await list(config(listConfig), world, ({ zones }) => zones, renderNodes)
    case 'node add':
      return await addNode(first, config(nodeAddConfig), world)
    case 'node drain':
      return await drainNode(first, config(drainConfig), world)
    case 'node undrain':
      return await undrainNode(first, config(changeConfig), world)
    case 'node remove':
      return await removeNode(first, config(nodeRemoveConfig), world)
    case 'node weight':
      return await weighNode(first, second, config(changeConfig), world)
    case 'zone list':
      return await list(config(listConfig), world, ({ zones }) => zones, renderZones)
    case 'zone add':
    case 'zone undrain':
    case 'zone remove':
      return await changeZone(verbOf(name), first, config(changeConfig), world)
    case 'zone drain':
      return await drainZone(first, config(drainConfig), world)
    case 'pool list':
      return await list(config(listConfig), world, ({ pools }) => pools, renderPools)
    case 'pool set-code': {
      const options = config(setCodeConfig)
      const value = { name: first, code: second, groups: options.groups }
      return await withCluster(options, world, async (session) => {
        const done = `what is written to pool ${first} has the code ${second}; what is there is re-encoded by the workers`
        await makeChange(session, { case: 'changePool', value }, options, done)
        return 0
      })
    }
    case ' rebalance': {
      const options = config(rebalanceConfig)
      return await withCluster(options, world, async (session) => {
        await makeChange(session, { case: 'rebalance', value: {} }, options, 'slots are spread by weight')
        return await followIf(options.wait && !options.dryRun, session, { kind: 'all' })
      })
    }
    default:
      throw new Error(`no command ${group ?? ''} ${name}`)
  }
}

function verbOf(name: string): 'add' | 'undrain' | 'remove' {
  return name === 'add' || name === 'undrain' ? name : 'remove'
}

async function list(
  config: ListConfig,
  world: World,
  part: (status: ClusterStatus) => unknown,
  render: (status: ClusterStatus) => string,
): Promise<number> {
  return await withCluster(config, world, async (session) => {
    const status = await session.status()
    world.out(config.json ? `${JSON.stringify(part(status), null, 2)}\n` : render(status))
    return 0
  })
}
