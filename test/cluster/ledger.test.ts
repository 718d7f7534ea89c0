import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { parseCode } from '../../core/erasure/code.ts'
import { readSecret } from '../../cli/folder/secret.ts'
import { connectMetadata } from '../../cli/services/metadata-client.ts'
import type { ClusterStatus } from '../../cli/status/assess.ts'
import type { ClusterMap } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { ListedShard, ShardService } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { startCluster, type Cluster } from './harness.ts'
import { atEnd, type Lifetime } from './lifetime.ts'
import { put } from './load.ts'

const BUCKET = 'ledger'

/** Every shard of a group that a node has. */
async function listGroup(service: ShardService, group: number): Promise<ListedShard[]> {
  const all: ListedShard[] = []
  for (;;) {
    const last = all.at(-1)?.address
    const { shards, truncated } = await service.list({ group, limit: 1000, ...(last && { after: last }) })
    all.push(...shards)
    if (!truncated) return all
  }
}

interface Counted {
  /** Blobs by shards to spare, without those of which there is none. */
  readonly spare: ReadonlyMap<number, number>
  /** Blobs that could not be read if the zone went as well. */
  readonly unreadable: ReadonlyMap<string, number>
}

/** Asks the nodes that are up what they hold, and counts by pool what the ledger should say. */
async function countShards(
  cluster: Cluster,
  map: ClusterMap,
  status: ClusterStatus,
  t: Lifetime,
): Promise<Map<string, Counted>> {
  const nodes = status.zones.flatMap(({ zone, nodes: those }) => those.map((node) => ({ zone, ...node })))
  const up = nodes.filter(({ state }) => state === 'up')
  const addresses = new Map(up.map(({ node, address }) => [node, address]))
  const transport = createNetworkShardTransport({
    addressOf: (node) => addresses.get(node),
    secret: await readSecret(cluster.paths.secret),
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  atEnd(t, () => {
    transport.close()
  })
  const result = new Map<string, Counted>()
  for (const { name, code, groups } of map.pools) {
    const { k, total } = parseCode(code)
    // By blob: the zones in which each shard of its first stripe can be read.
    const blobs = new Map<string, Map<number, Set<string>>>()
    for (const { node, zone } of up) {
      for (const { id } of groups) {
        for (const { address, damaged } of await listGroup(transport.node(node), id)) {
          if (address.stripe !== 0 || damaged) continue
          const shards = blobs.get(address.blob) ?? new Map<number, Set<string>>()
          shards.set(address.shard, (shards.get(address.shard) ?? new Set()).add(zone))
          blobs.set(address.blob, shards)
        }
      }
    }
    const spare = new Map<number, number>()
    const unreadable = new Map<string, number>(map.zones.map(({ id }) => [id, 0]))
    for (const shards of blobs.values()) {
      const left = total - k - (total - shards.size)
      spare.set(left, (spare.get(left) ?? 0) + 1)
      for (const { id: zone } of map.zones) {
        const others = [...shards.values()].filter((zones) => [...zones].some((one) => one !== zone))
        if (others.length < k) unreadable.set(zone, (unreadable.get(zone) ?? 0) + 1)
      }
    }
    result.set(name, { spare, unreadable })
  }
  return result
}

/** What the ledger says, in the same form. */
function told(status: ClusterStatus): Map<string, Counted> {
  return new Map(
    (status.risk?.pools ?? []).map(({ pool, spare, zones }) => [
      pool,
      {
        spare: new Map(spare.filter(({ blobs }) => blobs > 0).map((line) => [line.spare, line.blobs])),
        unreadable: new Map(zones.map(({ zone, unreadable }) => [zone, unreadable])),
      },
    ]),
  )
}

function sorted(counts: ReadonlyMap<string, Counted>): unknown {
  return [...counts]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([pool, { spare, unreadable }]) => [
      pool,
      [...spare].toSorted(([a], [b]) => a - b),
      [...unreadable].toSorted(([a], [b]) => a.localeCompare(b)),
    ])
}

test('the risk ledger is what the nodes have on their disks, before and while a zone is down', async (t) => {
  const cluster = await startCluster(t, { separate: true, args: ['--scrub-days', '0'] })
  const client = cluster.client()
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
  const OBJECTS = 24
  for (let n = 0; n < OBJECTS; n++) {
    await put(client, BUCKET, `key-${n}`, { name: `object-${n}`, size: n % 2 === 0 ? 2000 : 200_000 })
  }
  const { ports } = JSON.parse(await readFile(cluster.paths.cluster, 'utf8')) as {
    ports: { metadata: number }
  }
  const secret = await readSecret(cluster.paths.secret)
  const connection = connectMetadata(`127.0.0.1:${ports.metadata}`, secret, {
    clock: systemClock,
    random: systemRandom,
  })
  atEnd(t, () => connection.close())
  const { map } = await connection.api.call('getCluster', {})
  assert.ok(map !== undefined)

  const blobs = (status: ClusterStatus) =>
    (status.risk?.pools ?? []).reduce((sum, pool) => sum + pool.blobs, 0)
  const reduced = (status: ClusterStatus) =>
    (status.risk?.pools ?? []).reduce((sum, pool) => sum + pool.reduced, 0)
  const whole = await cluster.statusIs((status) => blobs(status) === OBJECTS && reduced(status) === 0)
  assert.equal(whole.health, 'healthy')
  assert.deepEqual(sorted(told(whole)), sorted(await countShards(cluster, map, whole, t)))
  assert.deepEqual(
    whole.risk?.pools.flatMap(({ zones }) => zones.map(({ unreadable }) => unreadable)),
    [0, 0, 0, 0, 0, 0],
    'any zone can go',
  )

  await cluster.kill(['storage-node-zone-a-1', 'storage-node-zone-a-2'], 'SIGKILL')
  await cluster.nodesDown(['zone-a-1', 'zone-a-2'])
  const without = await cluster.status()
  assert.equal(without.health, 'degraded')
  const counted = await countShards(cluster, map, without, t)
  assert.deepEqual(sorted(told(without)), sorted(counted))
  assert.equal(counted.get('standard')?.unreadable.get('zone-b'), OBJECTS / 2, 'and no other zone could go')
  const text = (await cluster.command('status')).stdout
  assert.match(text, /^BLOBS +ALL +SPARE 2 +SPARE 1 +SPARE 0 +UNREADABLE$/m)
  assert.match(text, /^standard +12 +0 +0 +12 +0$/m)
  assert.match(text, /^zone-b +standard +12 +0 /m)
})
