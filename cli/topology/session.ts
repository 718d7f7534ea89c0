import type { MetadataApi } from '../../proto/metadata-api.ts'
import { EXIT_FAILURE } from '../failure.ts'
import { listenForStop } from '../processes/stop.ts'
import { assessCluster, type ClusterStatus } from '../status/assess.ts'
import { lookAtCluster } from '../status/look.ts'
import type { NodeStatus } from '../status/nodes.ts'
import { askMetadata, targetOf, type LocalCluster, type TargetConfig } from '../target.ts'
import type { World } from '../world.ts'
import {
  changeCluster,
  renderChange,
  type ChangeOptions,
  type ChangeResult,
  type ClusterChange,
} from './change.ts'
import { follow } from './follow.ts'
import type { Followed } from './progress.ts'

/** One command on a running cluster. */
export interface Session {
  readonly api: MetadataApi
  readonly world: World
  /** Of a cluster that `ashlar start` runs. */
  readonly local: LocalCluster | undefined
  status(): Promise<ClusterStatus>
}

/** Reaches the cluster that the options name, and lets go of it at the end. */
export async function withCluster(
  config: TargetConfig,
  world: World,
  run: (session: Session) => Promise<number>,
): Promise<number> {
  const target = await targetOf(config)
  const { api, close } = await askMetadata(target, world)
  try {
    return await run({
      api,
      world,
      local: target.local,
      status: async () => assessCluster(await lookAtCluster(api, world.clock), world.clock.nowMs()),
    })
  } finally {
    await close()
  }
}

export interface Reported extends ChangeOptions {
  readonly json: boolean
}

/** Makes a change and prints what it did. */
export async function makeChange(
  session: Session,
  change: ClusterChange,
  options: Reported,
  done: string,
  hints: readonly string[] = [],
): Promise<ChangeResult> {
  const { api, world } = session
  const result = await changeCluster(api, change, options, nodesOf(await session.status()), hints)
  world.out(
    options.json ? `${JSON.stringify(result, null, 2)}\n` : renderChange(done, result, movesSlots(change)),
  )
  return result
}

function movesSlots(change: ClusterChange): boolean {
  switch (change.case) {
    case 'addNode':
    case 'rebalance':
      return true
    case 'changeNode':
      return change.value.remove !== true
    case 'changeZone':
      return change.value.state !== undefined
    default:
      return false
  }
}

/** Follows what a change began, if that was asked for. Resolves to the exit code: 1 if it goes on unwatched. */
export async function followIf(
  wanted: boolean,
  { api, world }: Session,
  followed: Followed,
): Promise<number> {
  if (!wanted) return 0
  const stop = listenForStop(world.clock)
  return (await follow(api, followed, world, stop.signal)) ? 0 : EXIT_FAILURE
}

export function nodesOf({ zones }: Pick<ClusterStatus, 'zones'>): NodeStatus[] {
  return zones.flatMap(({ nodes }) => nodes)
}
