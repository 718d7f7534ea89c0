import { plural } from '../plural.ts'
import type { ClusterStatus, PoolStatus, PoolZoneLoss, ZoneStatus } from './assess.ts'

/** The status as text for people. */
export function renderStatus(status: ClusterStatus): string {
  const nodes = status.zones.flatMap((zone) => zone.nodes)
  const up = nodes.filter(({ state }) => state !== 'down').length
  return [
    `Cluster ${status.clusterId} is ${status.health}`,
    '',
    ...table([['ZONE', 'NODE', 'STATE', 'USED', 'FREE', 'ADDRESS'], ...status.zones.flatMap(zoneRows)]),
    '',
    ...table([
      ['POOL', 'CODE', 'OBJECTS', 'OVERHEAD', 'GROUPS', 'READ', 'WRITE'],
      ...status.pools.map(poolRow),
    ]),
    '',
    ...table([
      ['IF LOST', 'POOL', 'READ', 'WRITE', 'ONE MORE NODE'],
      ...status.zones.flatMap(({ zone }) => lossRows(zone, status.pools)),
    ]),
    '',
    `Epoch ${status.epoch}; ${up} of ${plural(nodes.length, 'node')} up; ${status.repairBacklog} to repair, ${status.outboxBacklog} in the outbox`,
    ...status.problems.map((problem) => `Problem: ${problem}`),
    ...status.warnings.map((warning) => `Warning: ${warning}`),
    '',
  ].join('\n')
}

function zoneRows({ zone, nodes }: ZoneStatus): string[][] {
  return nodes.map(({ node, state, usedBytes, freeBytes, address }, index) => {
    const known = state !== 'down'
    return [
      index === 0 ? zone : '',
      node,
      state,
      known ? formatBytes(usedBytes) : '-',
      known ? formatBytes(freeBytes) : '-',
      known ? (address === '' ? 'in-process' : address) : '-',
    ]
  })
}

function poolRow({
  pool,
  code,
  objectBytesMax,
  overhead,
  placementGroups,
  readable,
  writable,
}: PoolStatus): string[] {
  const objects = objectBytesMax === null ? 'any size' : `to ${formatBytes(objectBytesMax)}`
  return [
    pool,
    code,
    objects,
    `${Number(overhead.toFixed(2))}x`,
    String(placementGroups),
    yes(readable),
    yes(writable),
  ]
}

function lossRows(zone: string, pools: readonly PoolStatus[]): string[][] {
  return pools.flatMap(({ pool, zoneLoss }, index) => {
    const loss = zoneLoss.find((one): one is PoolZoneLoss => one.zone === zone)
    if (loss === undefined) return []
    const { readable, writable, survivesOneMoreNode } = loss
    return [
      [
        index === 0 ? zone : '',
        pool,
        yes(readable),
        yes(writable),
        survivesOneMoreNode ? 'survives' : 'unreadable',
      ],
    ]
  })
}

function yes(condition: boolean): string {
  return condition ? 'yes' : 'NO'
}

/** Columns of equal width, two spaces apart. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_head, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const

/** Three significant digits with a binary unit: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // 999.5 would be written as 1000.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${Number(value.toFixed(digits))} ${UNITS[unit] ?? ''}`
}
