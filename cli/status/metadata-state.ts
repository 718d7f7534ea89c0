import { ETCD_QUOTA_FULL_SHARE, ETCD_QUOTA_PRESSED_SHARE } from '../../core/limits.ts'
import { formatBytes, formatCount, formatSpan, table } from '../format.ts'
import type { EngineStatus, PartitionsStatus } from '../partition/assess.ts'
import { obstacleText } from '../partition/render.ts'
import { plural } from '../plural.ts'

/** What makes the cluster degraded, a sentence each. */
export function metadataProblems({ partitions, members, engines }: PartitionsStatus): string[] {
  const alive = new Set(members.map(({ id }) => id))
  const unserved = partitions.filter(({ owner }) => owner === null || !alive.has(owner))
  return [
    ...unserved.map(({ id }) => `partition ${id} of metadata is served by nobody now`),
    ...engines
      .filter((engine) => shareOf(engine) >= ETCD_QUOTA_FULL_SHARE)
      .map((engine) => `metadata engine ${nameOf(engine)} ${fullness(engine)}: it takes deletes only`),
  ]
}

/** What is worth knowing and no problem. */
export function metadataNotes({ engines, obstacles }: PartitionsStatus): string[] {
  return [
    ...engines
      .filter((engine) => {
        const share = shareOf(engine)
        return share >= ETCD_QUOTA_PRESSED_SHARE && share < ETCD_QUOTA_FULL_SHARE
      })
      .map((engine) => `metadata engine ${nameOf(engine)} ${fullness(engine)}`),
    ...obstacles.map(obstacleText),
  ]
}

/** The metadata processes, where there are several. */
export function metadataTable({ members }: PartitionsStatus): string[] {
  if (members.length < 2) return []
  const rows = members.map(({ id, address, state, root, partitions, uptimeSeconds }) => [
    id,
    root ? `${state}, coordinator` : state,
    String(partitions),
    formatSpan(uptimeSeconds),
    address === '' ? 'in-process' : address,
  ])
  return [...table([['METADATA', 'STATE', 'PARTITIONS', 'UP FOR', 'ADDRESS'], ...rows]), '']
}

export function metadataLine({ version, partitions, members, engines }: PartitionsStatus): string {
  const on = engines.map((engine) => {
    return engine.quotaBytes === null ? nameOf(engine) : `${nameOf(engine)} (${fullness(engine)})`
  })
  const refused = members.reduce(
    (sum, { writes, reads }) => sum + (writes?.refused ?? 0) + (reads?.refused ?? 0),
    0,
  )
  const refusals = refused === 0 ? '' : `; ${formatCount(refused)} requests refused by overload`
  return `Metadata: ${plural(partitions.length, 'partition')} on ${on.join(', ')}, map ${version}${refusals}`
}

function shareOf({ usedBytes, quotaBytes }: EngineStatus): number {
  return usedBytes === null || quotaBytes === null ? 0 : usedBytes / quotaBytes
}

/** What kind it is, for people; its id where that is not known. */
function nameOf({ kind, id }: EngineStatus): string {
  return kind === '' ? id : kind
}

function fullness(engine: EngineStatus): string {
  const percent = Math.floor(100 * shareOf(engine))
  return `uses ${percent} % of its ${formatBytes(engine.quotaBytes ?? 0)}`
}
