/** Ways to make metadata and shards disagree. */

import assert from 'node:assert/strict'
import type { BlobRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ShardAddress, ShardOwner } from '../../proto/shard-transport.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import type { WholeCluster } from './cluster.ts'

const EPOCH = 1

/** The node where a shard belongs, by the map. */
export async function homeOf(cluster: WholeCluster, group: number, shard: number): Promise<string> {
  const { pools } = await cluster.map()
  const slots = pools.flatMap(({ groups }) => groups).find(({ id }) => id === group)?.slots
  return slots?.[shard]?.node ?? assert.fail(`no slot ${shard} of group ${group}`)
}

export function blobOf({ blob, key }: ObjectRecord): BlobRecord {
  return blob ?? assert.fail(`${key} has no blob`)
}

function nodeOf(cluster: WholeCluster, id: string) {
  return cluster.nodes.get(id) ?? assert.fail(`no node ${id}`)
}

/** Removes one shard of a blob from where it belongs. */
export async function lose(cluster: WholeCluster, { id, group }: BlobRecord, shard: number, stripe = 0) {
  const node = nodeOf(cluster, await homeOf(cluster, group, shard))
  const request = { group, blob: id, shards: [{ stripe, shard }], epoch: EPOCH }
  assert.equal(await cluster.clock.drive(node.deleteShards(request)), 1)
}

/** Removes a blob from all nodes. */
export async function loseAll(cluster: WholeCluster, { id, group }: BlobRecord) {
  for (const node of cluster.nodes.values()) await cluster.clock.drive(node.deleteBlob(group, id))
}

/** Puts a shard of that many bytes, or of those of another one, on a node. */
export async function forge(
  cluster: WholeCluster,
  node: string,
  address: ShardAddress,
  owner: ShardOwner,
  data: Uint8Array,
) {
  const put = { address, owner, epoch: EPOCH, data, checksums: crc32cBlocks(data) }
  await cluster.clock.drive(nodeOf(cluster, node).put(put))
}

/** A shard of a blob as it lies where it belongs. */
export async function shardOf(cluster: WholeCluster, { id, group }: BlobRecord, shard: number) {
  const home = await homeOf(cluster, group, shard)
  const address = { group, blob: id, stripe: 0, shard }
  const node = nodeOf(cluster, home)
  const { data } = await cluster.clock.drive(node.get({ address, epoch: EPOCH }))
  const [description] = await cluster.clock.drive(node.describe([address]))
  const owner = description?.owner ?? assert.fail('no owner')
  return { home, address, owner, data: Uint8Array.from(data) }
}

/** The same shard again, saying something else of itself. */
export async function lie(cluster: WholeCluster, blob: BlobRecord, shard: number, what: Partial<ShardOwner>) {
  const { home, address, owner, data } = await shardOf(cluster, blob, shard)
  await forge(cluster, home, address, { ...owner, ...what }, data)
}

/** The same shard on a node where the group has no slot. */
export async function copyAway(cluster: WholeCluster, blob: BlobRecord, shard: number): Promise<string> {
  const { address, owner, data } = await shardOf(cluster, blob, shard)
  const { pools } = await cluster.map()
  const slots = pools.flatMap(({ groups }) => groups).find(({ id }) => id === blob.group)?.slots ?? []
  const away = [...cluster.nodes.keys()].find((id) => !slots.some(({ node }) => node === id))
  assert.ok(away !== undefined)
  await forge(cluster, away, address, owner, data)
  return away
}

/** Changes what lies in the engine behind metadata's back. */
export async function tamper(
  { engine }: WholeCluster,
  change: {
    readonly puts?: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]
    readonly deletes?: readonly Uint8Array[]
  },
) {
  const fence = { key: Uint8Array.of(0xff), token: undefined }
  await engine.commit({ fence, puts: change.puts ?? [], deletes: change.deletes ?? [] })
}
