/** What shards say of themselves, and metadata of their blobs. */

import { BLOB_PLACES_MAX, FSCK_REQUESTS_IN_FLIGHT_MAX, SHARD_DESCRIBE_MAX } from '../../core/limits.ts'
import { BlobState, FailureCode, type ResolvedBlob } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { askMetadata, eachOf, inTime } from '../blob/context.ts'
import { placeOf, type ListedBlob, type Place } from '../blob/identify.ts'
import type { DescribedShard } from './compare.ts'
import type { FsckContext } from './context.ts'

/** A blob as its nodes have it. */
export interface DescribedBlob {
  readonly group: number
  readonly blob: string
  readonly held: readonly DescribedShard[]
  /** What its shards say of where it belongs, what most say first. */
  readonly places: readonly Place[]
}

/** Asks every shard of these blobs whose it is. @throws the signal's reason */
export async function describeAll(
  { world, signal }: FsckContext,
  group: number,
  blobs: readonly ListedBlob[],
): Promise<DescribedBlob[]> {
  const described = blobs.map(({ held }) => held.map((one): DescribedShard => ({ ...one, owner: undefined })))
  const batches: { node: string; asked: { blob: number; index: number }[] }[] = []
  const open = new Map<string, (typeof batches)[number]>()
  for (const [blob, { held }] of blobs.entries()) {
    for (const [index, { node }] of held.entries()) {
      let batch = open.get(node)
      if (batch === undefined || batch.asked.length >= SHARD_DESCRIBE_MAX) {
        batch = { node, asked: [] }
        open.set(node, batch)
        batches.push(batch)
      }
      batch.asked.push({ blob, index })
    }
  }
  await eachOf(batches, FSCK_REQUESTS_IN_FLIGHT_MAX, async ({ node, asked }) => {
    const addresses = asked.map(({ blob, index }) => {
      const { stripe = 0, shard = 0 } = blobs[blob]?.held[index] ?? {}
      return { group, blob: blobs[blob]?.blob ?? '', stripe, shard }
    })
    try {
      const said = await inTime(world.clock, signal, (ending) =>
        world.shards.node(node).describe(addresses, ending),
      )
      for (const [i, { blob, index }] of asked.entries()) {
        const one = described[blob]?.[index]
        if (one !== undefined && described[blob] !== undefined) {
          described[blob][index] = { ...one, owner: said[i]?.owner }
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      world.log.debug('a node does not describe its shards', { node, error })
    }
  })
  return blobs.map(({ blob }, i) => {
    const held = described[i] ?? []
    return { group, blob, held, places: placesOf(blob, held) }
  })
}

function placesOf(blob: string, held: readonly DescribedShard[]): Place[] {
  const votes = new Map<string, { place: Place; count: number }>()
  for (const { owner } of held) {
    if (owner === undefined) continue
    const place = placeOf(owner, blob)
    const name = JSON.stringify(place)
    const vote = votes.get(name)
    if (vote === undefined) votes.set(name, { place, count: 1 })
    else vote.count++
  }
  return [...votes.values()].toSorted((a, b) => b.count - a.count).map(({ place }) => place)
}

/** What metadata knows of a place; an error where its records there are damaged. */
export type Resolution = ResolvedBlob | MetadataError

/** In the order of the places. @throws {MetadataError} metadata cannot be reached */
async function resolveAll(context: FsckContext, places: readonly Place[]): Promise<Resolution[]> {
  const { world, signal } = context
  const resolved: Resolution[] = []
  for (let at = 0; at < places.length; at += BLOB_PLACES_MAX) {
    const some = places.slice(at, at + BLOB_PLACES_MAX)
    try {
      const { blobs } = await askMetadata(world, signal, 'resolveBlobs', { places: some })
      resolved.push(...blobs)
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code === FailureCode.UNAVAILABLE) throw error
      // One record that cannot be read keeps the others of the request from being answered.
      if (some.length === 1) resolved.push(error)
      else for (const place of some) resolved.push(...(await resolveAll(context, [place])))
    }
  }
  return resolved
}

/** What is known of a blob by the first place that a record names it at; otherwise by the first. */
export interface Resolved {
  readonly place: Place
  readonly resolution: Resolution
}

export async function resolveBlobs(
  context: FsckContext,
  blobs: readonly Pick<DescribedBlob, 'places'>[],
): Promise<(Resolved | undefined)[]> {
  const flat = blobs.flatMap(({ places }) => places)
  const resolutions = await resolveAll(context, flat)
  let at = 0
  return blobs.map(({ places }) => {
    const mine = places.flatMap((place): Resolved[] => {
      const resolution = resolutions[at++]
      return resolution === undefined ? [] : [{ place, resolution }]
    })
    return mine.find(({ resolution }) => isLive(resolution)) ?? mine[0]
  })
}

export function isLive(resolution: Resolution): resolution is ResolvedBlob {
  return !(resolution instanceof MetadataError) && resolution.state === BlobState.LIVE
}
