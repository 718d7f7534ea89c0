import { formatBytes, formatCount, formatSpan, table } from '../format.ts'
import { plural } from '../plural.ts'
import type { ClusterStatus, PoolStatus } from './assess.ts'
import { journalLine, restoreLine } from './backup-state.ts'
import { metadataLine, metadataTable } from './metadata-state.ts'
import type { NodeStatus, ZoneStatus } from './nodes.ts'
import type { RiskStatus, SpareStatus } from './risk.ts'

/** What is shown may be this old before its age is said, in seconds. */
const FRESH_SECONDS = 5

/** The status as text for people. */
export function renderStatus(status: ClusterStatus): string {
  const { zones, pools, risk } = status
  const nodes = zones.flatMap((zone) => zone.nodes)
  const up = nodes.filter(({ state }) => state !== 'down' && state !== 'lost').length
  const age = status.ageSeconds < FRESH_SECONDS ? '' : `, ${formatSpan(status.ageSeconds)} ago`
  return [
    `Cluster ${status.clusterId} ${age === '' ? 'is' : 'was'} ${status.health}${age}`,
    '',
    ...table([['ZONE', 'NODE', 'STATE', 'USED', 'FREE', 'ADDRESS'], ...zones.flatMap(zoneRows)]),
    '',
    ...table([['POOL', 'CODE', 'OBJECTS', 'OVERHEAD', 'GROUPS', 'READ', 'WRITE'], ...pools.map(poolRow)]),
    '',
    ...(risk === null ? [] : [...spareTable(risk), '']),
    ...table([
      ['IF LOST', 'POOL', ...(risk === null ? ['READ'] : ['UNREADABLE', 'LOST']), 'WRITE', 'ONE MORE NODE'],
      ...zones.flatMap(({ zone }) => lossRows(zone, pools, risk)),
    ]),
    '',
    ...(status.metadata === null ? [] : metadataTable(status.metadata)),
    `Epoch ${status.epoch}; ${up} of ${plural(nodes.length, 'node')} up; ${status.repairBacklog} to repair, ${status.outboxBacklog} in the outbox`,
    ...moveLines(status),
    ...(risk === null ? [] : repairLines(risk)),
    ...scrubLines(nodes),
    ...(status.metadata === null ? [] : [metadataLine(status.metadata)]),
    ...(status.journal === null ? [] : [journalLine(status.journal)]),
    ...status.restores.map(restoreLine),
    ...status.problems.map((problem) => `Problem: ${problem}`),
    ...status.warnings.map((warning) => `Warning: ${warning}`),
    ...status.notes.map((note) => `Note: ${note}`),
    '',
  ].join('\n')
}

function zoneRows({ zone, member, nodes }: ZoneStatus): string[][] {
  const name = member === 'active' ? zone : `${zone} (${member})`
  if (nodes.length === 0) return [[name, '-', '-', '-', '-', '-']]
  return nodes.map((node, index) => {
    const known = node.state !== 'down' && node.state !== 'lost'
    return [
      index === 0 ? name : '',
      node.node,
      node.member === 'draining' ? `${node.state}, draining` : node.state,
      known ? formatBytes(node.usedBytes) : '-',
      known ? formatBytes(node.freeBytes) : '-',
      known ? (node.address === '' ? 'in-process' : node.address) : '-',
    ]
  })
}

function poolRow(pool: PoolStatus): string[] {
  const objects = pool.objectBytesMax === null ? 'any size' : `to ${formatBytes(pool.objectBytesMax)}`
  return [
    pool.state === 'retiring' ? `${pool.pool} (retiring)` : pool.pool,
    pool.code,
    objects,
    `${Number(pool.overhead.toFixed(2))}x`,
    String(pool.placementGroups),
    yes(pool.readable),
    pool.state === 'retiring' ? '-' : yes(pool.writable),
  ]
}

/** Blobs by shards to spare: a column for each number from the best there is down to 0. */
function spareTable({ pools }: RiskStatus): string[] {
  const most = Math.max(0, ...pools.map(({ spareWhenWhole }) => spareWhenWhole))
  const columns = Array.from({ length: most + 1 }, (_column, index) => most - index)
  return table([
    ['BLOBS', 'ALL', ...columns.map((spare) => `SPARE ${spare}`), 'UNREADABLE'],
    ...pools.map(({ pool, blobs, spareWhenWhole, spare, unreadable }) => [
      pool,
      formatCount(blobs),
      ...columns.map((column) => (column > spareWhenWhole ? '' : formatCount(countAt(spare, column)))),
      formatCount(unreadable),
    ]),
  ])
}

function countAt(lines: readonly SpareStatus[], spare: number): number {
  return lines.find((line) => line.spare === spare)?.blobs ?? 0
}

function lossRows(zone: string, pools: readonly PoolStatus[], risk: RiskStatus | null): string[][] {
  return pools.flatMap(({ pool, poolId, zoneLoss }, index) => {
    const loss = zoneLoss.find((one) => one.zone === zone)
    if (loss === undefined) return []
    const counted = risk?.pools.find((one) => one.poolId === poolId)?.zones.find((one) => one.zone === zone)
    return [
      [
        index === 0 ? zone : '',
        pool,
        ...(risk === null
          ? [yes(loss.readable)]
          : [formatCount(counted?.unreadable ?? 0), formatCount(counted?.lost ?? 0)]),
        yes(loss.writable),
        loss.survivesOneMoreNode ? 'survives' : 'unreadable',
      ],
    ]
  })
}

function moveLines({ moves, zones }: ClusterStatus): string[] {
  if (moves.length === 0) return []
  const total = moves.reduce((sum, { slots }) => sum + slots, 0)
  const to = zones.flatMap(({ nodes }) => nodes).filter(({ slotsFilling }) => slotsFilling > 0)
  const each = to.map(({ node, slotsFilling, slots }) => {
    const from = moves.filter((move) => move.to === node).map((move) => move.from)
    const sources = from.map((source) => (source === '' ? 'rebuilt' : source))
    return `${node} ${slotsFilling} of ${slots} (${sources.join(', ')})`
  })
  return [`Moves: ${plural(total, 'slot')} filling: ${each.join('; ')}`]
}

function repairLines({ repair, work }: RiskStatus): string[] {
  const lines: string[] = []
  const { bytesWaiting, bytesPerSecond, secondsLeft } = repair
  if (bytesWaiting > 0) {
    const left = secondsLeft === null ? 'time left unknown' : `about ${formatSpan(secondsLeft)} left`
    lines.push(`Repair: ${formatBytes(bytesWaiting)} waiting, ${formatBytes(bytesPerSecond)}/s, ${left}`)
  }
  for (const [kind, reports] of Map.groupBy(work, (report) => report.kind)) {
    const busy = reports.filter(({ itemsWaiting, now }) => itemsWaiting > 0 || now !== '')
    const first = busy[0]
    if (first === undefined) continue
    const waiting = busy.reduce((sum, { itemsWaiting }) => sum + itemsWaiting, 0)
    const more = busy.length === 1 ? '' : `, and ${busy.length - 1} more`
    const now = first.now === '' ? '' : `; ${first.now}${more}`
    lines.push(`Work: ${kind}, ${formatCount(waiting)} waiting${now}`)
  }
  return lines
}

/** The node that is furthest behind says how old the last look at every byte is. */
function scrubLines(nodes: readonly NodeStatus[]): string[] {
  const scrubbing = nodes.filter(({ scrub }) => scrub.cycle > 0)
  if (scrubbing.length === 0) return []
  const slowest = Math.min(...scrubbing.map(({ scrub }) => scrub.percent))
  const ends = scrubbing.map(({ scrub }) => scrub.lastCompletedAt)
  const oldest = ends.every((end) => end !== null) ? ends.toSorted()[0] : undefined
  const found = scrubbing.reduce((sum, { scrub }) => sum + scrub.found, 0)
  const last = oldest === undefined ? 'none complete on every node yet' : `all complete by ${oldest}`
  return [`Scrub: at least ${slowest} % of this cycle; ${last}; ${formatCount(found)} found damaged ever`]
}

function yes(condition: boolean): string {
  return condition ? 'yes' : 'NO'
}
