import { create } from '@bufbuild/protobuf'
import type {
  MemberState,
  TopologyChange,
  TopologyMap,
  TopologySlot,
} from '../../core/placement/topology/model.ts'
import {
  type ClusterMap,
  ClusterMapSchema,
  MemberState as State,
  PoolState,
} from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { ChangeClusterRequest } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { invalidRequest } from '../failure.ts'

/** The map as planning sees it. */
export function toTopology(map: ClusterMap): TopologyMap {
  return {
    epoch: Number(map.epoch),
    poolIdMax: Math.max(map.poolIdMax, ...map.pools.map(({ id }) => id)),
    zones: map.zones.map(({ id, state }) => ({
      id,
      state: state === State.DRAINING ? 'draining' : 'active',
    })),
    nodes: map.nodes.map(({ id, zone, weight, state }) => ({ id, zone, weight, state: stateOf(state) })),
    pools: map.pools.map(({ id, name, code, storageClass, objectBytesMax, groups, state }) => ({
      id,
      name,
      code,
      storageClass,
      objectBytesMax: Number(objectBytesMax),
      state: state === PoolState.RETIRING ? 'retiring' : 'active',
      groups: groups.map((group) => ({
        id: group.id,
        slots: group.slots.map(({ node, source, filling, since }) => ({
          node,
          source,
          filling: filling || source !== '',
          ...(since === 0n ? {} : { since: Number(since) }),
        })),
      })),
    })),
  }
}

/** The planned map as it is kept, of the same cluster as `from`. */
export function fromTopology(from: ClusterMap, map: TopologyMap): ClusterMap {
  return create(ClusterMapSchema, {
    format: from.format,
    clusterId: from.clusterId,
    epoch: BigInt(map.epoch),
    poolIdMax: map.poolIdMax,
    zones: map.zones.map(({ id, state }) => ({ id, state: STATES[state] })),
    nodes: map.nodes.map((node) => ({ ...node, state: STATES[node.state] })),
    pools: map.pools.map((pool) => ({
      ...pool,
      objectBytesMax: BigInt(pool.objectBytesMax),
      state: pool.state === 'retiring' ? PoolState.RETIRING : PoolState.ACTIVE,
      groups: pool.groups.map(({ id, slots }) => ({ id, slots: slots.map(slotOf) })),
    })),
  })
}

function slotOf({ node, source, filling, since = 0 }: TopologySlot) {
  return { node, source, filling, since: BigInt(since) }
}

const STATES = { active: State.ACTIVE, draining: State.DRAINING, lost: State.LOST } as const

function stateOf(state: State): MemberState {
  if (state === State.DRAINING) return 'draining'
  return state === State.LOST ? 'lost' : 'active'
}

/** @throws {MetadataError} INVALID_REQUEST */
export function changeOf({ change }: ChangeClusterRequest): TopologyChange {
  switch (change.case) {
    case 'addNode': {
      const { id, zone, weight } = change.value
      return { kind: 'add-node', id, zone, weight: weight === 0 ? 1 : weight }
    }
    case 'changeNode': {
      const { id, state, weight, remove } = change.value
      return {
        kind: 'change-node',
        id,
        remove,
        ...(state !== State.UNSPECIFIED && { state: stateOf(state) }),
        ...(weight !== 0 && { weight }),
      }
    }
    case 'changeZone': {
      const { id, state, add, remove } = change.value
      if (add && remove) throw invalidRequest('a zone is either added or removed')
      return {
        kind: 'change-zone',
        id,
        add,
        remove,
        ...(state !== State.UNSPECIFIED && { state: stateOf(state) }),
      }
    }
    case 'changePool':
      return { kind: 'change-pool', ...change.value }
    case 'finishSlots':
      return {
        kind: 'finish-slots',
        slots: change.value.slots.map((line) => ({ ...line, since: Number(line.since) })),
      }
    case 'removePool':
      return { kind: 'remove-pool', pool: change.value.pool }
    case 'rebalance':
      return { kind: 'rebalance' }
    case undefined:
      throw invalidRequest('the request names no change')
  }
}
