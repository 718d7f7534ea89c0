import { formatBytes, formatCount, table } from '../format.ts'
import { plural } from '../plural.ts'
import type { ClusterStatus } from '../status/assess.ts'
import type { ChangeResult } from './change.ts'

/** `ashlar node list`. */
export function renderNodes({ zones }: ClusterStatus): string {
  const rows = zones.flatMap(({ zone, nodes }) =>
    nodes.map((node) => [
      node.node,
      zone,
      node.member === 'draining' ? `${node.state}, draining` : node.state,
      String(node.weight),
      String(node.slots),
      String(node.slotsFilling),
      String(node.slotsLeaving),
      formatCount(node.shards),
      formatBytes(node.liveBytes),
      formatBytes(node.freeBytes),
      String(node.damagedShards),
    ]),
  )
  const head = [
    'NODE',
    'ZONE',
    'STATE',
    'WEIGHT',
    'SLOTS',
    'FILLING',
    'LEAVING',
    'SHARDS',
    'LIVE',
    'FREE',
    'DAMAGED',
  ]
  return lines(table([head, ...rows]))
}

/** `ashlar zone list`. */
export function renderZones({ zones, risk }: ClusterStatus): string {
  const rows = zones.map(({ zone, member, nodes }) => {
    const up = nodes.filter(({ state }) => state !== 'down' && state !== 'lost').length
    const losses = (risk?.pools ?? []).flatMap((pool) => pool.zones.filter((one) => one.zone === zone))
    const sum = (key: 'unreadable' | 'lost') => losses.reduce((total, loss) => total + loss[key], 0)
    return [
      zone,
      member,
      `${up} of ${nodes.length}`,
      formatBytes(nodes.reduce((total, { liveBytes }) => total + liveBytes, 0)),
      risk === null ? '-' : formatCount(sum('unreadable')),
      risk === null ? '-' : formatCount(sum('lost')),
    ]
  })
  return lines(table([['ZONE', 'STATE', 'NODES UP', 'LIVE', 'UNREADABLE IF LOST', 'LOST IF LOST'], ...rows]))
}

/** `ashlar pool list`. */
export function renderPools({ pools, risk }: ClusterStatus): string {
  const rows = pools.map((pool) => {
    const counted = risk?.pools.find(({ poolId }) => poolId === pool.poolId)
    return [
      pool.pool,
      String(pool.poolId),
      pool.code,
      pool.state,
      pool.storageClass,
      pool.objectBytesMax === null ? 'any size' : `to ${formatBytes(pool.objectBytesMax)}`,
      String(pool.placementGroups),
      counted === undefined ? '-' : formatCount(counted.blobs),
      counted === undefined ? '-' : formatCount(counted.reduced),
      counted === undefined ? '-' : formatCount(counted.unreadable),
    ]
  })
  const head = ['POOL', 'ID', 'CODE', 'STATE', 'CLASS', 'OBJECTS', 'GROUPS', 'BLOBS', 'REDUCED', 'UNREADABLE']
  return lines(table([head, ...rows]))
}

/** What giving a node up means, before it is asked whether that is meant. */
export function lossText(name: string, { risk }: ClusterStatus, plan: ChangeResult): string {
  const unreadable = (risk?.pools ?? []).filter((pool) => pool.unreadable > 0)
  const silent = risk?.silent ?? []
  return lines([
    `${name} would be given up: nothing is read from it any more, also if it came back.`,
    `${plural(plan.slots, 'slot')} would be rebuilt from other nodes, about ${formatBytes(plan.bytes)}.`,
    ...unreadable.map(
      ({ pool, unreadable: blobs }) =>
        `${plural(blobs, 'blob')} of pool ${pool} cannot be read without what is down now: those that need ${name} would be lost.`,
    ),
    ...(risk === null
      ? ['How many blobs that would lose is not known: metadata keeps no ledger.']
      : unreadable.length === 0
        ? ['As counted now, every blob can be read without it: none would be lost.']
        : []),
    ...(silent.length === 0 ? [] : [`Not counted is what ${silent.join(', ')} may hold.`]),
    ...plan.warnings.map((warning) => `Warning: ${warning}`),
  ])
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('')
}
