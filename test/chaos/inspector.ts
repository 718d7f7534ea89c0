/**
 * What really lies on the disks of a running cluster, asked of the storage nodes themselves: the truth that its own view is
 * held against.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { readClusterFile } from '../../cli/folder/cluster-file.ts'
import type { DataPaths } from '../../cli/folder/paths.ts'
import { readSecret } from '../../cli/folder/secret.ts'
import { overhearAddresses } from '../../cli/services/address-book.ts'
import { connectMetadata } from '../../cli/services/metadata-client.ts'
import { parseCode } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { BLOB_PLACES_MAX, SHARD_DESCRIBE_MAX, SHARD_LIST_MAX } from '../../core/limits.ts'
import { BlobState, type GetClusterReply, type ResolvedBlob } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardAddress, ShardOwner, ShardTransport } from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { atEnd, type Lifetime } from '../cluster/lifetime.ts'

/** A blob as the nodes that are up have it. */
export interface FoundBlob {
  readonly group: number
  readonly id: string
  /** For each stripe and shard (`stripe/shard`), the nodes that have it and do not know it to be damaged. */
  readonly shards: ReadonlyMap<string, readonly string[]>
  readonly damaged: number
}

export interface Truth {
  readonly cluster: GetClusterReply
  readonly blobs: readonly FoundBlob[]
}

export interface Inspector {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  /** Everything that the nodes which are up list. */
  look(): Promise<Truth>
  /**
   * What keeps the cluster from being whole: blobs without some shard on its slot's node, shards where they do not
   * belong, damage, slots that move, work that waits. Empty once it is.
   *
   * @param deep reads every shard too, so that damage which no node knows of yet shows
   */
  faults(deep?: boolean): Promise<string[]>
  /** Resolves when {@link faults} finds none; fails with what is left after `seconds`. */
  whole(seconds: number, deep?: boolean): Promise<void>
}

const FAULTS_TOLD_MAX = 20

/** Connects to a cluster that runs as separate processes. */
export async function inspect(t: Lifetime, paths: DataPaths): Promise<Inspector> {
  const file = await readClusterFile(paths.cluster)
  if (file === undefined) throw new Error('there is no cluster')
  const secret = await readSecret(paths.secret)
  const ports = { clock: systemClock, random: systemRandom }
  const connection = connectMetadata(`127.0.0.1:${file.ports.metadata}`, secret, ports)
  const { metadata, addressOf } = overhearAddresses(connection.api)
  const shards = createNetworkShardTransport({ ...ports, addressOf, secret, log: silentLog })
  atEnd(t, async () => {
    shards.close()
    await connection.close()
  })

  async function look(): Promise<Truth> {
    const cluster = await metadata.call('getCluster', {})
    const up = cluster.nodes.filter((node) => node.up).map(({ node }) => node)
    const blobs: FoundBlob[] = []
    for (const pool of cluster.map?.pools ?? []) {
      for (const { id } of pool.groups) blobs.push(...(await blobsOf(shards, id, up)))
    }
    return { cluster, blobs }
  }

  async function faults(deep = false): Promise<string[]> {
    const truth = await look()
    const found = faultsOfMap(truth.cluster)
    const records = await resolve(metadata, shards, truth)
    for (const [i, blob] of truth.blobs.entries()) {
      found.push(...faultsOfBlob(truth.cluster, blob, records[i]))
    }
    if (deep && found.length === 0) found.push(...(await unreadable(shards, truth)))
    return found
  }

  return {
    metadata,
    shards,
    look,
    faults,
    async whole(seconds, deep) {
      const deadline = performance.now() + seconds * 1000
      for (;;) {
        const left = await faults(deep).catch((error: unknown) => [String(error)])
        if (left.length === 0) return
        if (performance.now() > deadline) {
          const told = left.slice(0, FAULTS_TOLD_MAX).join('\n  ')
          const work = await workOf(metadata).catch(String)
          throw new Error(`not whole after ${seconds} s, ${left.length} faults:\n  ${told}\n${work}`)
        }
        await delay(500)
      }
    },
  }
}

/** What the workers say they are at, and what waits for them, for people. */
async function workOf(metadata: MetadataApi): Promise<string> {
  const { work } = await metadata.call('getRisk', {})
  const reports = work.map(
    ({ kind, itemsWaiting, itemsDone, now }) => `${kind}: ${itemsWaiting} waiting, ${itemsDone} done; ${now}`,
  )
  const { records } = await metadata.call('readOutbox', { limit: FAULTS_TOLD_MAX })
  const tasks = records.map(({ sequence, createdMs, task }) => {
    const { blob } = task.case === 'repair' ? task.value : { blob: undefined }
    const moved = blob?.relocations.map(({ shard, node }) => `${shard}@${node}`).join() ?? ''
    return `${task.case ?? 'nothing'} ${sequence} of ${new Date(Number(createdMs)).toISOString()}: ${blob?.id ?? ''} ${moved}`
  })
  return [...reports, ...tasks].join('\n')
}

async function blobsOf(
  shards: ShardTransport,
  group: number,
  nodes: readonly string[],
): Promise<FoundBlob[]> {
  const found = new Map<string, { shards: Map<string, string[]>; damaged: number }>()
  for (const node of nodes) {
    let after: ShardAddress | undefined
    for (;;) {
      const request = { group, limit: SHARD_LIST_MAX, ...(after === undefined ? {} : { after }) }
      const page = await shards.node(node).list(request)
      for (const { address, damaged } of page.shards) {
        const blob = found.get(address.blob) ?? { shards: new Map<string, string[]>(), damaged: 0 }
        found.set(address.blob, blob)
        const name = `${address.stripe}/${address.shard}`
        if (damaged) blob.damaged++
        else blob.shards.set(name, [...(blob.shards.get(name) ?? []), node])
      }
      after = page.shards.at(-1)?.address
      if (!page.truncated || after === undefined) break
    }
  }
  return [...found].map(([id, blob]) => ({ group, id, ...blob }))
}

function faultsOfMap({ map, nodes, repairBacklog }: GetClusterReply): string[] {
  const faults: string[] = []
  for (const { id, slots } of map?.pools.flatMap(({ groups }) => groups) ?? []) {
    for (const [shard, slot] of slots.entries()) {
      if (slot.filling || slot.source !== '') {
        faults.push(`slot ${shard} of group ${id} moves to ${slot.node}`)
      }
    }
  }
  if (repairBacklog > 0n) faults.push(`${repairBacklog} repairs wait`)
  for (const { node, damagedShards } of nodes) {
    if (damagedShards > 0n) faults.push(`${node} knows of ${damagedShards} damaged shards`)
  }
  return faults
}

/** The record of each blob; undefined where no shard of it could be described. */
async function resolve(
  metadata: MetadataApi,
  shards: ShardTransport,
  { blobs }: Truth,
): Promise<(ResolvedBlob | undefined)[]> {
  const owners = await ownersOf(shards, blobs)
  const places = blobs.map((blob, i) => {
    const owner = owners[i]
    const { bucket = '', key = '', version = '', part = 0, annotation = '' } = owner ?? {}
    return { bucket, key, version, part, annotation, blob: blob.id }
  })
  const resolved: ResolvedBlob[] = []
  for (let start = 0; start < places.length; start += BLOB_PLACES_MAX) {
    const page = places.slice(start, start + BLOB_PLACES_MAX)
    resolved.push(...(await metadata.call('resolveBlobs', { places: page })).blobs)
  }
  return blobs.map((_, i) => (owners[i] === undefined ? undefined : resolved[i]))
}

/** Asked of the first node that has any shard of the blob, many at once. */
async function ownersOf(
  shards: ShardTransport,
  blobs: readonly FoundBlob[],
): Promise<(ShardOwner | undefined)[]> {
  const owners: (ShardOwner | undefined)[] = blobs.map(() => undefined)
  const asked = new Map<string, { index: number; address: ShardAddress }[]>()
  for (const [index, { group, id, shards: found }] of blobs.entries()) {
    const [first] = found
    const node = first?.[1][0]
    if (first === undefined || node === undefined) continue
    const [stripe = 0, shard = 0] = first[0].split('/').map(Number)
    asked.set(node, [...(asked.get(node) ?? []), { index, address: { group, blob: id, stripe, shard } }])
  }
  for (const [node, questions] of asked) {
    for (let start = 0; start < questions.length; start += SHARD_DESCRIBE_MAX) {
      const page = questions.slice(start, start + SHARD_DESCRIBE_MAX)
      const answers = await shards.node(node).describe(page.map(({ address }) => address))
      for (const [i, { index }] of page.entries()) owners[index] = answers[i]?.owner
    }
  }
  return owners
}

function faultsOfBlob(
  { map }: GetClusterReply,
  blob: FoundBlob,
  resolved: ResolvedBlob | undefined,
): string[] {
  const name = `blob ${blob.id} of group ${blob.group}`
  if (resolved === undefined) return [`${name} has no shard that can be described`]
  // What a write that failed left behind is removed when it is old enough.
  if (resolved.state === BlobState.YOUNG) return []
  const record = resolved.blob
  if (resolved.state !== BlobState.LIVE || record === undefined) return [`${name} is nobody's`]
  const faults: string[] = []
  if (record.relocations.length > 0) faults.push(`${name} has relocations in its record`)
  const group = map?.pools.flatMap(({ groups }) => groups).find(({ id }) => id === blob.group)
  const code = parseCode(record.code)
  const expected = new Set<string>()
  for (let stripe = 0; stripe < stripeCount(code, Number(record.size)); stripe++) {
    for (let shard = 0; shard < code.total; shard++) {
      const node = group?.slots[shard]?.node
      const nodes = blob.shards.get(`${stripe}/${shard}`) ?? []
      expected.add(`${stripe}/${shard}`)
      if (node === undefined || !nodes.includes(node)) {
        faults.push(
          `${name}: shard ${shard} of stripe ${stripe} is not on ${node ?? 'any node'}, but on ${nodes.join()}`,
        )
      } else if (nodes.length > 1) {
        faults.push(`${name}: shard ${shard} of stripe ${stripe} is on ${nodes.join()}, not on ${node} alone`)
      }
    }
  }
  for (const shard of blob.shards.keys()) {
    if (!expected.has(shard)) faults.push(`${name}: ${shard} is surplus`)
  }
  return faults
}

async function unreadable(shards: ShardTransport, { cluster, blobs }: Truth): Promise<string[]> {
  const epoch = Number(cluster.map?.epoch ?? 1n)
  const faults: string[] = []
  for (const { group, id, shards: found } of blobs) {
    for (const [name, nodes] of found) {
      const [stripe = 0, shard = 0] = name.split('/').map(Number)
      for (const node of nodes) {
        const address = { group, blob: id, stripe, shard }
        await shards
          .node(node)
          .get({ address, epoch })
          .catch((error: unknown) => {
            faults.push(`shard ${shard} of stripe ${stripe} of blob ${id} on ${node}: ${String(error)}`)
          })
      }
    }
  }
  return faults
}
