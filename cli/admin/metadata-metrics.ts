import type {
  CommitHoldsStatus,
  GateStatus,
  MemberStatus,
  PartitionsStatus,
  PartitionStatus,
} from '../partition/assess.ts'
import type { Metric, Sample } from './exposition.ts'

/** Metadata's processes, partitions and engines as metrics. */
export function metadataMetrics(status: PartitionsStatus): Metric[] {
  const { version, partitions, members, engines, obstacles } = status
  const alive = new Set(members.map(({ id }) => id))
  const ofPartitions = (value: (one: PartitionStatus) => number | null): Sample[] =>
    partitions.flatMap((one) => {
      const found = value(one)
      return found === null ? [] : [{ labels: { partition: one.id }, value: found }]
    })
  const ofGates = (value: (gate: GateStatus) => number): Sample[] =>
    members.flatMap((member) => [
      ...gateSample(member, 'write', member.writes, value),
      ...gateSample(member, 'read', member.reads, value),
    ])
  const ofHolds = (value: (holds: CommitHoldsStatus) => number): Sample[] =>
    members.flatMap(({ id, commitHolds }) =>
      commitHolds === null ? [] : [{ labels: { process: id }, value: value(commitHolds) }],
    )
  return [
    gauge('ashlar_metadata_processes', 'Metadata processes that are alive.', [{ value: members.length }]),
    gauge(
      'ashlar_metadata_coordinator',
      '1 for the process that has the root and the controllers, 0 for the others.',
      members.map(({ id, root }) => ({ labels: { process: id }, value: root ? 1 : 0 })),
    ),
    gauge(
      'ashlar_metadata_process_partitions',
      'Partitions that it serves.',
      members.map(({ id, partitions: owned }) => ({ labels: { process: id }, value: owned })),
    ),
    gauge(
      'ashlar_metadata_requests_in_flight',
      'Requests in work.',
      ofGates(({ inFlight }) => inFlight),
    ),
    gauge(
      'ashlar_metadata_requests_bound',
      'Requests that may be in work before some are refused.',
      ofGates(({ bound }) => bound),
    ),
    counter(
      'ashlar_metadata_requests_refused_total',
      'Requests refused by overload since the process started.',
      ofGates(({ refused }) => refused),
    ),
    counter(
      'ashlar_metadata_commit_holds_total',
      'Times that commits were held for a backup of several engines, since the process started.',
      ofHolds(({ holds }) => holds),
    ),
    counter(
      'ashlar_metadata_commit_hold_seconds_total',
      'For how long in all.',
      ofHolds(({ seconds }) => seconds),
    ),
    counter(
      'ashlar_metadata_commit_holds_expired_total',
      'Of those, such that nobody ended in time.',
      ofHolds(({ expired }) => expired),
    ),
    gauge('ashlar_partition_map_version', 'Version of the partition map; it grows with every change.', [
      { value: version },
    ]),
    gauge('ashlar_partitions', 'Partitions.', [{ value: partitions.length }]),
    gauge(
      'ashlar_partition_served',
      '1 if a process that is alive owns it.',
      ofPartitions(({ owner }) => (owner !== null && alive.has(owner) ? 1 : 0)),
    ),
    gauge(
      'ashlar_partition_writes_per_second',
      'Writes asked for lately, refused ones included.',
      ofPartitions(({ writesPerSecond }) => writesPerSecond),
    ),
    gauge(
      'ashlar_partition_reads_per_second',
      'Reads asked for lately, refused ones included.',
      ofPartitions(({ readsPerSecond }) => readsPerSecond),
    ),
    counter(
      'ashlar_partition_refused_total',
      'Requests beyond the rate it is held to, since its range or owner changed.',
      ofPartitions(({ refused }) => refused),
    ),
    gauge(
      'ashlar_partition_outbox_records',
      'Consequences of commits in its outboxes that wait for a worker.',
      ofPartitions(({ garbageWaiting, repairsWaiting }) =>
        garbageWaiting === null ? null : garbageWaiting + (repairsWaiting ?? 0),
      ),
    ),
    gauge(
      'ashlar_partition_entries',
      'Records in it, estimated; absent where the engine cannot tell.',
      ofPartitions(({ entries }) => entries),
    ),
    gauge(
      'ashlar_partition_bytes',
      'Their bytes, estimated; absent where the engine cannot tell.',
      ofPartitions(({ bytes }) => bytes),
    ),
    gauge('ashlar_partition_obstacles', 'Partitions that should be changed and cannot be.', [
      { value: obstacles.length },
    ]),
    gauge(
      'ashlar_metadata_engine_used_bytes',
      'What counts towards the quota of an engine that has one.',
      engines.flatMap(({ id, kind, usedBytes }) =>
        usedBytes === null ? [] : [{ labels: { engine: id, kind }, value: usedBytes }],
      ),
    ),
    gauge(
      'ashlar_metadata_engine_quota_bytes',
      'That quota.',
      engines.flatMap(({ id, kind, quotaBytes }) =>
        quotaBytes === null ? [] : [{ labels: { engine: id, kind }, value: quotaBytes }],
      ),
    ),
  ]
}

function gateSample(
  { id }: MemberStatus,
  kind: 'write' | 'read',
  gate: GateStatus | null,
  value: (gate: GateStatus) => number,
): Sample[] {
  return gate === null ? [] : [{ labels: { process: id, kind }, value: value(gate) }]
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, kind: 'gauge', help, samples }
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, kind: 'counter', help, samples }
}
