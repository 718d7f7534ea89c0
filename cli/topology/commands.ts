import type { ConfigSchema } from '../../runtime/config/layers.ts'
import type { CommandRow } from '../command-row.ts'
import {
  changeConfig,
  drainConfig,
  listConfig,
  nodeAddConfig,
  nodeRemoveConfig,
  rebalanceConfig,
  setCodeConfig,
} from './config.ts'

/** A command on what the cluster is made of: `ashlar node add NAME`. */
export interface TopologyCommand extends CommandRow {
  /** `node`, `zone`, `pool`; none for a command of its own. */
  readonly group: 'node' | 'zone' | 'pool' | undefined
}

export const topologyGroups = {
  node: {
    description: 'show, add, drain and remove storage nodes',
    examples: `Examples:
  ashlar node add zone-b-3 --zone zone-b
  ashlar node drain zone-b-1 --wait && ashlar node remove zone-b-1
  ashlar node remove zone-b-1 --lost          its disk is gone: rebuild what it held
  ashlar node weight zone-b-3 2               a disk twice the size of the others
`,
  },
  zone: {
    description: 'show, add, drain and remove zones',
    examples: `Examples:
  ashlar zone add zone-d
  ashlar zone drain zone-a --dry-run
`,
  },
  pool: {
    description: 'show pools and change their code',
    examples: `Examples:
  ashlar pool set-code standard rs-8-4 --dry-run
`,
  },
} as const

export const topologyCommands: readonly TopologyCommand[] = [
  row('node', 'list', [], listConfig, 'show the storage nodes with their slots and sizes'),
  row(
    'node',
    'add',
    ['name'],
    nodeAddConfig,
    'add a storage node; slots move to it, as few as its weight asks for',
  ),
  row(
    'node',
    'drain',
    ['name'],
    drainConfig,
    'move everything away from a node, which goes on serving meanwhile',
  ),
  row('node', 'undrain', ['name'], changeConfig, 'end a drain: the node takes slots again'),
  row('node', 'remove', ['name'], nodeRemoveConfig, 'take a drained or lost node out of the cluster'),
  row('node', 'weight', ['name', 'weight'], changeConfig, 'change the relative capacity of a node'),
  row('zone', 'list', [], listConfig, 'show the zones with their nodes, and what the loss of each would do'),
  row('zone', 'add', ['name'], changeConfig, 'add a zone without nodes'),
  row('zone', 'drain', ['name'], drainConfig, 'move everything away from a zone'),
  row('zone', 'undrain', ['name'], changeConfig, 'end a drain: its nodes take slots again'),
  row('zone', 'remove', ['name'], changeConfig, 'take a zone without nodes out of the cluster'),
  row('pool', 'list', [], listConfig, 'show the pools with their codes and how whole they are'),
  row(
    'pool',
    'set-code',
    ['name', 'code'],
    setCodeConfig,
    'write with another code from now on, and re-encode what is there',
  ),
  row(
    undefined,
    'rebalance',
    [],
    rebalanceConfig,
    'move slots until every node has its share, as few as that takes',
  ),
]

function row(
  group: TopologyCommand['group'],
  name: string,
  args: readonly string[],
  schema: ConfigSchema,
  description: string,
): TopologyCommand {
  return { group, name, args, schema, description }
}
