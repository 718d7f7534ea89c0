import { type Code, CodeNameError, parseCode } from '../../erasure/code.ts'
import { groupId, GROUPS_PER_POOL_MAX } from '../group.ts'
import { chooseSlots } from '../rendezvous.ts'
import {
  type TopologyChange,
  type TopologyContext,
  type TopologyMap,
  type TopologyPool,
  TopologyRefused,
} from './model.ts'
import type { Planned } from './nodes.ts'
import { membersOf } from './plan.ts'
import { hasFatalNode } from './risk.ts'

type Change<K extends TopologyChange['kind']> = Extract<TopologyChange, { kind: K }>

/** Pools of one cluster, by the width of a pool's id in a group's. */
const POOL_ID_MAX = 2 ** 16 - 1

/**
 * A pool of the new code in the place of the old one, which retires: it is kept for what it holds, and takes nothing new.
 * @throws {TopologyRefused}
 */
export function changePool(
  map: TopologyMap,
  { name, code, groups }: Change<'change-pool'>,
  { force }: TopologyContext,
): Planned {
  const old = map.pools.find((pool) => pool.name === name && pool.state === 'active')
  if (old === undefined) throw new TopologyRefused(`there is no active pool ${name}`)
  if (old.code === code) throw new TopologyRefused(`pool ${name} has the code ${code} already`)
  const count = groups === 0 ? old.groups.length : groups
  if (!Number.isInteger(count) || count < 1 || count > GROUPS_PER_POOL_MAX) {
    throw new TopologyRefused(`a pool has 1 to ${GROUPS_PER_POOL_MAX} placement groups`)
  }
  if (map.poolIdMax >= POOL_ID_MAX) throw new TopologyRefused('the ids of pools are used up')
  const id = map.poolIdMax + 1
  const { takers } = membersOf(map)
  if (takers.length === 0) throw new TopologyRefused('there is no node that takes slots')
  const { total, local } = codeOf(code)
  const made: TopologyPool = {
    ...old,
    id,
    code,
    state: 'active',
    groups: Array.from({ length: count }, (_, index) => {
      const group = groupId(id, index)
      const nodes = chooseSlots(group, total, takers)
      return { id: group, slots: nodes.map((node) => ({ node, source: '', filling: false })) }
    }),
  }
  const pools = map.pools.map((pool) => (pool === old ? { ...pool, state: 'retiring' as const } : pool))
  const changed = { ...map, poolIdMax: id, pools: [...pools, made] }
  const warnings: string[] = []
  const zones = new Set(takers.map(({ zone }) => zone)).size
  if (local !== undefined && local.l !== zones) {
    warnings.push(
      `${code} has ${local.l} local groups for ${zones} ${zones === 1 ? 'zone' : 'zones'}: a lost shard is not rebuilt within its zone alone`,
    )
  }
  if (!hasFatalNode(changed, made)) return { map: changed, warnings }
  const reason = `with ${code} the loss of a single node would make objects of pool ${name} unreadable`
  if (force) return { map: changed, warnings: [...warnings, reason] }
  throw new TopologyRefused(`${reason}. Add nodes, or force the change`)
}

/** @throws {TopologyRefused} */
export function removePool(
  map: TopologyMap,
  { pool: id }: Change<'remove-pool'>,
  { blobs, silent }: TopologyContext,
): TopologyMap {
  const pool = map.pools.find((other) => other.id === id)
  if (pool === undefined) throw new TopologyRefused(`there is no pool ${id}`)
  if (pool.state !== 'retiring') {
    throw new TopologyRefused(
      `pool ${pool.name} (${pool.code}) is in use: only a pool that retires is removed`,
    )
  }
  if (silent.length > 0) {
    throw new TopologyRefused(
      `${silent.join(', ')} has not said what it holds: wait for it, or mark it lost, before pool ${pool.name} (${pool.code}) goes`,
    )
  }
  const held = blobs.get(id) ?? 0
  if (held > 0) {
    throw new TopologyRefused(
      `pool ${pool.name} (${pool.code}) still holds ${held} blobs: they are to be re-encoded first`,
    )
  }
  return { ...map, pools: map.pools.filter((other) => other !== pool) }
}

function codeOf(code: string): Code {
  try {
    return parseCode(code)
  } catch (error) {
    if (error instanceof CodeNameError) throw new TopologyRefused(error.message)
    throw error
  }
}
