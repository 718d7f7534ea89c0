import type { ClusterStatus } from '../status/assess.ts'
import type { NodeStatus } from '../status/nodes.ts'
import type { Metric, Sample } from './exposition.ts'
import { metadataMetrics } from './metadata-metrics.ts'

/** What a service says about itself beside the cluster. */
export interface ProcessFacts {
  readonly version: string
  /** `worker`, `gateway`, `storage-node`, `metadata`, `cluster` for all of them in one process. */
  readonly service: string
  readonly uptimeSeconds: number
  readonly residentBytes: number
}

const MEMBERS = ['active', 'draining', 'lost'] as const

/** Metrics of this process, which are there whatever happens to the cluster. */
export function processMetrics(facts: ProcessFacts, metadataReachable: boolean): Metric[] {
  const { version, service, uptimeSeconds, residentBytes } = facts
  return [
    gauge('ashlar_build_info', 'Version of the program, as a label.', [
      { labels: { version, service }, value: 1 },
    ]),
    gauge('ashlar_process_uptime_seconds', 'Time since this process started.', [{ value: uptimeSeconds }]),
    gauge('ashlar_process_resident_bytes', 'Memory of this process.', [{ value: residentBytes }]),
    gauge('ashlar_metadata_reachable', '1 if metadata answered when it was last asked.', [
      { value: metadataReachable ? 1 : 0 },
    ]),
  ]
}

/** The cluster as metrics. Documented in docs/metrics.md, which a test holds against this. */
export function clusterMetrics(status: ClusterStatus, nowMs: number): Metric[] {
  const nodes = status.zones.flatMap(({ zone, nodes: those }) => those.map((node) => ({ zone, ...node })))
  const ofNodes = (value: (node: NodeStatus) => number | undefined): Sample[] =>
    nodes.flatMap((node) => {
      const found = value(node)
      return found === undefined ? [] : [{ labels: { zone: node.zone, node: node.node }, value: found }]
    })
  return [
    gauge('ashlar_status_age_seconds', 'Age of everything below: time since metadata last answered.', [
      { value: status.ageSeconds },
    ]),
    gauge('ashlar_healthy', '1 if nothing is down, damaged, short of shards or waiting for repair.', [
      { value: status.health === 'healthy' ? 1 : 0 },
    ]),
    gauge('ashlar_cluster_epoch', 'Epoch of the cluster map.', [{ value: status.epoch }]),
    gauge(
      'ashlar_node_up',
      '1 if the node is up.',
      ofNodes(({ state }) => flag(isUp(state))),
    ),
    gauge(
      'ashlar_node_writable',
      '1 if the node takes writes.',
      ofNodes(({ state }) => flag(isUp(state) && state !== 'read-only')),
    ),
    gauge(
      'ashlar_node_suspect',
      '1 if its disk is slow or gave errors.',
      ofNodes(({ state }) => flag(state === 'suspect')),
    ),
    gauge(
      'ashlar_node_member',
      '1 for what the cluster map says of the node.',
      nodes.flatMap(({ zone, node, member }) =>
        MEMBERS.map((one) => ({ labels: { zone, node, member: one }, value: flag(one === member) })),
      ),
    ),
    gauge(
      'ashlar_node_weight',
      'Relative capacity of the node.',
      ofNodes(({ weight }) => weight),
    ),
    gauge(
      'ashlar_node_used_bytes',
      'Bytes of its segment files.',
      ofNodes(({ usedBytes }) => usedBytes),
    ),
    gauge(
      'ashlar_node_live_bytes',
      'Bytes of live shards.',
      ofNodes(({ liveBytes }) => liveBytes),
    ),
    gauge(
      'ashlar_node_free_bytes',
      'Free bytes of its file system.',
      ofNodes(({ freeBytes }) => freeBytes),
    ),
    gauge(
      'ashlar_node_total_bytes',
      'Size of its file system.',
      ofNodes(({ totalBytes }) => totalBytes),
    ),
    gauge(
      'ashlar_node_shards',
      'Live shards.',
      ofNodes(({ shards }) => shards),
    ),
    gauge(
      'ashlar_node_damaged_shards',
      'Shards known to be unreadable.',
      ofNodes(({ damagedShards }) => damagedShards),
    ),
    gauge(
      'ashlar_node_slots',
      'Slots of placement groups that are its.',
      ofNodes(({ slots }) => slots),
    ),
    gauge(
      'ashlar_node_slots_filling',
      'Of those, still being filled.',
      ofNodes(({ slotsFilling }) => slotsFilling),
    ),
    gauge(
      'ashlar_node_slots_leaving',
      'Slots that move away from it.',
      ofNodes(({ slotsLeaving }) => slotsLeaving),
    ),
    gauge(
      'ashlar_scrub_progress_ratio',
      'Part of the present scrub that is done.',
      ofNodes(({ scrub }) => (scrub.cycle === 0 ? undefined : scrub.percent / 100)),
    ),
    gauge(
      'ashlar_scrub_age_seconds',
      'Time since the last whole scrub ended; absent before the first.',
      ofNodes(({ scrub }) =>
        scrub.lastCompletedAt === null
          ? undefined
          : Math.max(0, Math.round((nowMs - Date.parse(scrub.lastCompletedAt)) / 1000)),
      ),
    ),
    {
      ...gauge(
        'ashlar_scrub_found_total',
        'Damage found by the node so far.',
        ofNodes(({ scrub }) => scrub.found),
      ),
      kind: 'counter',
    },
    gauge('ashlar_repair_queue_objects', 'Objects in the queue of repairs.', [
      { value: status.repairBacklog },
    ]),
    gauge('ashlar_outbox_records', 'Consequences of commits that wait for a worker.', [
      { value: status.outboxBacklog },
    ]),
    gauge('ashlar_metadata_restores', 'Restores of the metadata that nobody has accepted yet.', [
      { value: status.restores.length },
    ]),
    ...journalMetrics(status),
    ...(status.metadata === null ? [] : metadataMetrics(status.metadata)),
    ...riskMetrics(status),
  ]
}

/** Without samples where the engine ships none. */
function journalMetrics({ journal }: ClusterStatus): Metric[] {
  const sample = (value: number | undefined): Sample[] => (value === undefined ? [] : [{ value }])
  return [
    gauge(
      'ashlar_metadata_journal_behind_seconds',
      'Age of the oldest commit that the storage nodes have no copy of.',
      sample(journal?.secondsBehind),
    ),
    gauge('ashlar_metadata_journal_waiting_bytes', 'Bytes of such commits.', sample(journal?.waitingBytes)),
    gauge(
      'ashlar_metadata_journal_shipped_bytes',
      'Bytes that were copied to storage nodes since metadata started, all copies.',
      sample(journal?.shippedBytes),
    ),
  ]
}

function riskMetrics({ risk }: ClusterStatus): Metric[] {
  if (risk === null) return []
  const { pools, repair, work, silent } = risk
  const byWork = (value: (one: (typeof work)[number]) => number): Sample[] => {
    const sums = new Map<string, number>()
    for (const one of work) sums.set(one.kind, (sums.get(one.kind) ?? 0) + value(one))
    return [...sums].map(([kind, sum]) => ({ labels: { kind }, value: sum }))
  }
  const byZone = (value: (zone: (typeof pools)[number]['zones'][number]) => number): Sample[] =>
    pools.flatMap(({ pool, poolId, zones }) =>
      zones.map((zone) => ({ labels: { pool, pool_id: poolId, zone: zone.zone }, value: value(zone) })),
    )
  return [
    gauge(
      'ashlar_blobs',
      'Blobs of the pool.',
      pools.map(({ pool, poolId, code, blobs }) => ({
        labels: { pool, pool_id: poolId, code },
        value: blobs,
      })),
    ),
    gauge(
      'ashlar_blobs_by_spare',
      'Blobs by the shards they can still lose; below 0 they cannot be read.',
      pools.flatMap(({ pool, poolId, spareWhenWhole, spare }) => {
        const counts = new Map(spare.map((line) => [line.spare, line.blobs]))
        // Zeros too, so that an alert on a line does not depend on its having been there.
        for (let one = -1; one <= spareWhenWhole; one++) counts.set(one, counts.get(one) ?? 0)
        return [...counts].map(([one, blobs]) => ({
          labels: { pool, pool_id: poolId, spare: one },
          value: blobs,
        }))
      }),
    ),
    gauge(
      'ashlar_blobs_unreadable',
      'Blobs that cannot be read now.',
      pools.map(({ pool, poolId, unreadable }) => ({ labels: { pool, pool_id: poolId }, value: unreadable })),
    ),
    gauge(
      'ashlar_blobs_reduced',
      'Blobs that can be read and lack shards.',
      pools.map(({ pool, poolId, reduced }) => ({ labels: { pool, pool_id: poolId }, value: reduced })),
    ),
    gauge(
      'ashlar_zone_loss_blobs_unreadable',
      'Blobs that could not be read if the zone went now.',
      byZone((zone) => zone.unreadable),
    ),
    gauge(
      'ashlar_zone_loss_blobs_lost',
      'Of those, lost even if all other nodes came back.',
      byZone((zone) => zone.lost),
    ),
    gauge('ashlar_inventory_silent_nodes', 'Nodes whose shards are not counted yet.', [
      { value: silent.length },
    ]),
    gauge('ashlar_repair_bytes_waiting', 'Bytes that wait to be repaired, estimated.', [
      { value: repair.bytesWaiting },
    ]),
    gauge('ashlar_repair_bytes_per_second', 'Rate of the workers, lately.', [
      { value: repair.bytesPerSecond },
    ]),
    gauge(
      'ashlar_repair_seconds_left',
      'Time until repair is done at that rate; absent where there is none or it is unknown.',
      repair.secondsLeft === null ? [] : [{ value: repair.secondsLeft }],
    ),
    gauge(
      'ashlar_work_items_waiting',
      'Pieces of background work that wait.',
      byWork(({ itemsWaiting }) => itemsWaiting),
    ),
    gauge(
      'ashlar_work_bytes_waiting',
      'Their bytes, estimated.',
      byWork(({ bytesWaiting }) => bytesWaiting),
    ),
    gauge(
      'ashlar_work_items_done',
      'Pieces done by those who hold the work now.',
      byWork(({ itemsDone }) => itemsDone),
    ),
    gauge(
      'ashlar_work_bytes_done',
      'Their bytes.',
      byWork(({ bytesDone }) => bytesDone),
    ),
    gauge(
      'ashlar_work_bytes_per_second',
      'Their rate, lately.',
      byWork(({ bytesPerSecond }) => bytesPerSecond),
    ),
  ]
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, kind: 'gauge', help, samples }
}

function flag(condition: boolean): number {
  return condition ? 1 : 0
}

function isUp(state: NodeStatus['state']): boolean {
  return state !== 'down' && state !== 'lost'
}
