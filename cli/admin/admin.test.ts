import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ClusterMapSchema, NodeLivenessSchema } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import {
  GetClusterReplySchema,
  GetRiskReplySchema,
  GetPartitionsReplySchema,
  type GetClusterReply,
  type GetRiskReply,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { assessCluster, type ClusterView } from '../status/assess.ts'
import { metadataLine } from '../status/metadata-state.ts'
import { exposition } from './exposition.ts'
import { clusterMetrics, processMetrics } from './metrics.ts'
import { adminRoutes } from './routes.ts'
import { watchCluster } from './watch.ts'

const NOW = 1_800_000_000_000
const FACTS = { version: '1.2.3', service: 'worker', uptimeSeconds: 5, residentBytes: 1000 }

const cluster: GetClusterReply = create(GetClusterReplySchema, {
  map: create(ClusterMapSchema, {
    clusterId: 'c',
    epoch: 7n,
    zones: [{ id: 'a' }],
    nodes: [{ id: 'a-1', zone: 'a', weight: 1 }],
    pools: [{ id: 1, name: 'standard', code: 'rs-2-1', groups: [] }],
  }),
  nodes: [
    create(NodeLivenessSchema, {
      node: 'a-1',
      up: true,
      freeBytes: 5n,
      scrub: { cycle: 2n, bytesDone: 1n, bytesTotal: 4n, lastCompletedMs: BigInt(NOW - 60_000), found: 3n },
    }),
  ],
  repairBacklog: 2n,
})

const ledger: GetRiskReply = create(GetRiskReplySchema, {
  atMs: BigInt(NOW),
  pools: [
    {
      pool: 1,
      name: 'standard',
      code: 'rs-2-1',
      blobs: 10n,
      spare: [
        { spare: 1, blobs: 7n },
        { spare: 0, blobs: 2n },
        { spare: -1, blobs: 1n },
      ],
      zones: [{ zone: 'a', unreadable: 10n, lost: 4n, spare: [{ spare: -3, blobs: 10n }] }],
    },
  ],
  work: [
    { kind: 'repair', itemsWaiting: 2n, bytesWaiting: 100n, bytesPerSecond: 10n },
    { kind: 'repair', itemsWaiting: 1n, bytesPerSecond: 5n },
  ],
  repairBytesWaiting: 100n,
  repairSecondsLeft: 7n,
})

const partitions = create(GetPartitionsReplySchema, {
  map: {
    version: 9n,
    rootOwner: 'm-1',
    coordinationEngine: 'e',
    partitions: [
      { id: 1n, engine: 'e', owner: 'm-1' },
      { id: 4n, start: { bucket: 'b' }, engine: 'e', owner: 'm-2' },
    ],
  },
  members: [{ id: 'm-1', engines: ['e'] }],
  loads: [
    {
      id: 1n,
      writes: [4, 8],
      reads: [2],
      refused: 7n,
      garbageWaiting: 2n,
      repairsWaiting: 3n,
      entries: 5n,
      bytes: 6n,
    },
  ],
  processes: [
    {
      node: 'm-1',
      writes: { inFlight: 1n, bound: 64n, refused: 3n },
      reads: { bound: 128n },
      engines: [{ id: 'e', kind: 'etcd', usedBytes: 91n, quotaBytes: 100n }],
      commitHolds: 3n,
      commitHoldMs: 250n,
      commitHoldsExpired: 1n,
    },
  ],
})

const { map } = cluster
assert.ok(map !== undefined)
const view: ClusterView = {
  map,
  nodes: cluster.nodes,
  repairBacklog: cluster.repairBacklog,
  outboxBacklog: 0n,
  risk: ledger,
  partitions,
  askedMs: NOW,
}

test('the metrics have the ledger, with zeros where an alert would look for them', () => {
  const text = exposition(clusterMetrics(assessCluster(view, NOW + 3000), NOW))
  for (const line of [
    'ashlar_status_age_seconds 3',
    'ashlar_healthy 0',
    'ashlar_node_up{zone="a",node="a-1"} 1',
    'ashlar_node_free_bytes{zone="a",node="a-1"} 5',
    'ashlar_scrub_age_seconds{zone="a",node="a-1"} 60',
    'ashlar_scrub_progress_ratio{zone="a",node="a-1"} 0.25',
    'ashlar_blobs_by_spare{pool="standard",pool_id="1",spare="-1"} 1',
    'ashlar_blobs_by_spare{pool="standard",pool_id="1",spare="0"} 2',
    'ashlar_blobs_reduced{pool="standard",pool_id="1"} 2',
    'ashlar_zone_loss_blobs_unreadable{pool="standard",pool_id="1",zone="a"} 10',
    'ashlar_zone_loss_blobs_lost{pool="standard",pool_id="1",zone="a"} 4',
    'ashlar_repair_seconds_left 7',
    'ashlar_repair_bytes_per_second 15',
    'ashlar_work_items_waiting{kind="repair"} 3',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line)
  }
  const whole = {
    ...view,
    risk: create(GetRiskReplySchema, { pools: [{ pool: 1, name: 'standard', code: 'rs-2-1' }] }),
  }
  const quiet = exposition(clusterMetrics(assessCluster(whole, NOW), NOW))
  assert.match(quiet, /ashlar_blobs_by_spare\{pool="standard",pool_id="1",spare="-1"\} 0\n/)
  assert.doesNotMatch(quiet, /ashlar_repair_seconds_left/)
})

test('metadata has its processes, partitions and engines among the metrics', () => {
  const status = assessCluster(view, NOW)
  const text = exposition(clusterMetrics(status, NOW))
  for (const line of [
    'ashlar_metadata_processes 1',
    'ashlar_metadata_coordinator{process="m-1"} 1',
    'ashlar_metadata_requests_in_flight{process="m-1",kind="write"} 1',
    'ashlar_metadata_requests_refused_total{process="m-1",kind="write"} 3',
    'ashlar_metadata_commit_holds_total{process="m-1"} 3',
    'ashlar_metadata_commit_hold_seconds_total{process="m-1"} 0.25',
    'ashlar_metadata_commit_holds_expired_total{process="m-1"} 1',
    'ashlar_partition_map_version 9',
    'ashlar_partition_served{partition="1"} 1',
    'ashlar_partition_served{partition="4"} 0',
    'ashlar_partition_writes_per_second{partition="1"} 6',
    'ashlar_partition_outbox_records{partition="1"} 5',
    'ashlar_partition_refused_total{partition="1"} 7',
    'ashlar_metadata_engine_used_bytes{engine="e",kind="etcd"} 91',
    'ashlar_metadata_engine_quota_bytes{engine="e",kind="etcd"} 100',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line)
  }
  assert.doesNotMatch(text, /_per_second\{partition="4"\}/)
  assert.deepEqual(
    status.problems.filter((problem) => problem.includes('metadata')),
    [
      'partition 4 of metadata is served by nobody now',
      'metadata engine etcd uses 91 % of its 100 B: it takes deletes only',
    ],
  )
  assert.equal(
    metadataLine(status.metadata ?? assert.fail()),
    'Metadata: 2 partitions on etcd (uses 91 % of its 100 B), map 9; 3 requests refused by overload',
  )
})

test('labels cannot break out of their quotes', () => {
  const samples = [{ labels: { name: 'a"b\\c\nd' }, value: 1 }]
  assert.equal(
    exposition([{ name: 'x', kind: 'gauge', help: 'h', samples }]),
    '# HELP x h\n# TYPE x gauge\nx{name="a\\"b\\\\c\\nd"} 1\n',
  )
})

test('docs/metrics.md names every metric, and no other', async () => {
  const text = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const documented = [...text.matchAll(/^\| `(ashlar_\w+)`/gm)].map(([, name = '']) => name)
  const metrics = [...processMetrics(FACTS, true), ...clusterMetrics(assessCluster(view, NOW), NOW)]
  assert.deepEqual(documented.sort(), metrics.map(({ name }) => name).sort())
})

test('before metadata has answered there are metrics of the process only, and 503', () => {
  const routes = adminRoutes({
    seen: () => ({ view: undefined, reachable: false }),
    process: () => FACTS,
    clock: { nowMs: () => NOW },
  })
  assert.match(routes.get('/metrics')?.().body ?? '', /ashlar_metadata_reachable 0\n$/)
  assert.equal(routes.get('/v1/status')?.().status, 503)
  assert.equal(routes.get('/healthz')?.().status, 200)
})

test('while metadata is silent, the last it said is shown with its age', async () => {
  const clock = new SimulatedClock()
  let silent = false
  const metadata: MetadataApi = {
    async call(operation, _request, signal) {
      if (silent) {
        await new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => {
            reject(signal.reason as Error)
          })
        })
      }
      const reply = operation === 'getRisk' ? ledger : operation === 'getPartitions' ? partitions : cluster
      return reply as never
    },
  }
  const watch = watchCluster(metadata, clock)
  const routes = adminRoutes({ seen: () => watch.seen(), process: () => FACTS, clock })
  const risk = () => JSON.parse(routes.get('/v1/risk')?.().body ?? '') as Record<string, unknown>
  await clock.pass(0)
  assert.deepEqual([risk()['metadataReachable'], risk()['ageSeconds']], [true, 0])
  silent = true
  await clock.pass(20_000)
  assert.deepEqual([risk()['metadataReachable'], risk()['ageSeconds']], [false, 20])
  assert.match(routes.get('/metrics')?.().body ?? '', /ashlar_status_age_seconds 20\n/)
  silent = false
  await clock.pass(20_000)
  assert.equal(risk()['metadataReachable'], true)
  await clock.drive(watch.close())
})
