/**
 * The second look at a blob that seemed wrong: only what is seen again, while nothing changes, is told. Records are read
 * before and after the nodes, so that what a write, a delete, a repair or a move does meanwhile is not taken for damage.
 */

import { equals } from '@bufbuild/protobuf'
import { FSCK_LOOKS_MAX, FSCK_REQUESTS_IN_FLIGHT_MAX } from '../../core/limits.ts'
import { BlobState } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { BlobRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { eachOf } from '../blob/context.ts'
import type { Place } from '../blob/identify.ts'
import { listBlob } from '../blob/list.ts'
import type { HeldShard } from '../blob/plan.ts'
import { sameSlots, type WorkView } from '../cluster/view.ts'
import { compareLive, describeStray } from './compare.ts'
import type { FsckContext } from './context.ts'
import type { Finding } from './finding.ts'
import { describeAll, isLive, resolveBlobs, type DescribedBlob, type Resolved } from './looks.ts'

/** A blob to look at again. */
export interface Suspect {
  /** Group it was seen in; of one that no node listed, the record's. */
  readonly group: number
  readonly blob: string
  /** Where its record is; absent: its shards say so. */
  readonly place?: Place
}

/** What a second look saw. */
export interface Verdict {
  readonly findings: readonly Finding[]
  /** No record names it, and none may for a while yet. */
  readonly young: boolean
  /** No record names it and none will: an orphan, unless it waits in an outbox. */
  readonly stray: Finding | undefined
}

const NOTHING: Verdict = { findings: [], young: false, stray: undefined }

/** In the order of the suspects. @throws {MetadataError} metadata cannot be reached, or the signal's reason */
export async function lookAgain(context: FsckContext, suspects: readonly Suspect[]): Promise<Verdict[]> {
  const verdicts = suspects.map(() => NOTHING)
  await eachOf(suspects.entries(), FSCK_REQUESTS_IN_FLIGHT_MAX, async ([index, suspect]) => {
    verdicts[index] = await lookAtOne(context, suspect)
  })
  return verdicts
}

async function lookAtOne(context: FsckContext, suspect: Suspect): Promise<Verdict> {
  let known: DescribedBlob | undefined
  for (let attempt = 0; attempt < FSCK_LOOKS_MAX; attempt++) {
    const before = await context.look()
    const places = suspect.place === undefined ? (known?.places ?? []) : [suspect.place]
    const [first] = await resolveBlobs(context, [{ places }])
    const { blob, listed } = await lookAtNodes(context, before, suspect)
    const now = { ...blob, places: suspect.place === undefined ? blob.places : [suspect.place] }
    const [second] = await resolveBlobs(context, [now])
    const after = await context.look()
    const again = known === undefined && suspect.place === undefined && now.places.length > 0
    known = now
    if (again || !sameRecord(first, second) || !sameMap(before, after, suspect.group)) continue
    return judge(context, now, second, listed, after)
  }
  // It changes all the time: whoever works on it is not disturbed, and nothing is told of it.
  context.world.log.debug('a blob does not come to rest', { blob: suspect.blob })
  return NOTHING
}

async function lookAtNodes(
  context: FsckContext,
  view: WorkView,
  { group, blob }: Suspect,
): Promise<{ readonly blob: DescribedBlob; readonly listed: ReadonlySet<string> }> {
  const { world, signal } = context
  const listed = new Set<string>()
  const held: HeldShard[] = []
  await Promise.all(
    context.nodesOf(view).map(async (node) => {
      try {
        held.push(...(await listBlob(world, node, group, blob, view.epoch, signal)))
        listed.add(node)
      } catch (error) {
        signal.throwIfAborted()
        world.log.debug('a node does not list its shards', { node, error })
      }
    }),
  )
  const [described] = await describeAll(context, group, [{ blob, held }])
  return { blob: described ?? { group, blob, held: [], places: [] }, listed }
}

function sameRecord(a: Resolved | undefined, b: Resolved | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  const [left, right] = [a.resolution, b.resolution]
  if (left instanceof MetadataError || right instanceof MetadataError) {
    return left instanceof MetadataError && right instanceof MetadataError && left.code === right.code
  }
  if (left.state !== right.state) return false
  if (left.blob === undefined || right.blob === undefined) return left.blob === right.blob
  return equals(BlobRecordSchema, left.blob, right.blob)
}

function sameMap(a: WorkView, b: WorkView, group: number): boolean {
  const [before, after] = [a.groups.get(group), b.groups.get(group)]
  if (before === undefined || after === undefined) return before === after
  return sameSlots(before, after)
}

function judge(
  context: FsckContext,
  blob: DescribedBlob,
  resolved: Resolved | undefined,
  listed: ReadonlySet<string>,
  view: WorkView,
): Verdict {
  const place = resolved?.place
  const stray = { group: blob.group, blob: blob.blob, place, held: blob.held }
  if (resolved === undefined) {
    const told = blob.held.length > 0 && context.covers(undefined)
    return told ? { ...NOTHING, findings: [describeStray('unowned', stray)] } : NOTHING
  }
  if (!context.covers(place)) return NOTHING
  const { resolution } = resolved
  if (resolution instanceof MetadataError) {
    const detail = `metadata cannot say whether a record names it: ${resolution.message}`
    const about = { group: blob.group, blob: blob.blob, place: resolved.place }
    return { ...NOTHING, findings: [{ kind: 'unsaid', detail, ...about }] }
  }
  if (isLive(resolution) && resolution.blob !== undefined) {
    const { held, group } = blob
    const look = { place: resolved.place, record: resolution.blob, group, held, listed, view }
    return { ...NOTHING, findings: compareLive(look).findings }
  }
  if (blob.held.length === 0) return NOTHING
  if (resolution.state !== BlobState.ORPHAN) return { ...NOTHING, young: true }
  return { ...NOTHING, stray: describeStray('orphan', stray) }
}
