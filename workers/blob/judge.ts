/** What is to become of blobs that nodes list: asked of metadata at this moment. */

import { BlobState } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import type { WorkGroup } from '../cluster/view.ts'
import { inTime, type WorkContext } from './context.ts'
import { describeBlobs, placeOf, resolvePlaces, type ListedBlob, type Place } from './identify.ts'

export type Verdict =
  /** A record names it, in this group. */
  | {
      readonly kind: 'live'
      readonly place: Place
      readonly record: BlobRecord
      readonly storageClass: string
    }
  /** It may still be committed, or read: it is left alone. */
  | { readonly kind: 'young'; readonly owner: ShardOwner }
  /** No record names it and none will. */
  | { readonly kind: 'orphan' }
  /** No shard says whose it is, or metadata has it elsewhere: nothing is done to it. */
  | { readonly kind: 'unknown' }

export interface JudgedBlob extends ListedBlob {
  readonly verdict: Verdict
}

/** @throws {MetadataError}, or the signal's reason */
export async function judgeBlobs(
  context: WorkContext,
  group: WorkGroup,
  blobs: readonly ListedBlob[],
  signal: AbortSignal,
): Promise<JudgedBlob[]> {
  const owners = await describeBlobs(context, group.id, blobs, signal)
  const known = blobs.flatMap((blob) => {
    const owner = owners.get(blob.blob)
    return owner === undefined ? [] : [{ blob, owner, place: placeOf(owner, blob.blob) }]
  })
  const resolved = await resolvePlaces(
    context,
    known.map(({ place }) => place),
    signal,
  )
  const verdicts = new Map<string, Verdict>()
  for (const [i, { blob, owner, place }] of known.entries()) {
    const state = resolved[i]?.state
    const record = resolved[i]?.blob
    if (state === BlobState.ORPHAN) verdicts.set(blob.blob, { kind: 'orphan' })
    else if (state === BlobState.YOUNG) verdicts.set(blob.blob, { kind: 'young', owner })
    else if (state === BlobState.LIVE && record !== undefined && belongs(group, blob.blob, record)) {
      const storageClass = resolved[i]?.storageClass ?? ''
      verdicts.set(blob.blob, { kind: 'live', place, record, storageClass })
    }
  }
  return blobs.map((blob) => {
    const verdict = verdicts.get(blob.blob)
    if (verdict !== undefined) return { ...blob, verdict }
    context.log.warn('a blob of which nobody can say whose it is', { group: group.id, blob: blob.blob })
    return { ...blob, verdict: { kind: 'unknown' } }
  })
}

/** The record is of the blob as it lies in this group. */
export function belongs({ id, pool }: WorkGroup, blob: string, record: BlobRecord): boolean {
  return record.id === blob && record.group === id && record.code === pool.code.name
}

/** Removes a blob that no record names from the nodes that listed it. False: a node still has it. */
export async function removeOrphan(
  { shards, clock, log }: WorkContext,
  group: number,
  { blob, held }: ListedBlob,
  signal: AbortSignal,
): Promise<boolean> {
  const nodes = [...new Set(held.map(({ node }) => node))]
  const gone = await Promise.all(
    nodes.map(async (node) => {
      try {
        await inTime(clock, signal, (ending) => shards.node(node).deleteBlob(group, blob, ending))
        return true
      } catch (error) {
        signal.throwIfAborted()
        log.debug('an orphan stays for now', { node, blob, error })
        return false
      }
    }),
  )
  return gone.every(Boolean)
}
