/** One pass over a placement group: every blob that any node lists is brought to where it belongs, or removed. */

import {
  BLOB_LOST_AGE_MS,
  GROUP_SUSPECTS_MAX,
  GROUP_WINDOW_BLOBS,
  GROUP_WINDOW_SHARDS,
  SLOT_SETTLE_MS,
  WORK_BLOBS_IN_FLIGHT_MAX,
} from '../../core/limits.ts'
import { blobTimeMs } from '../../core/records/blob-age.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { eachOf, type WorkContext } from '../blob/context.ts'
import { copyFromSources } from '../blob/copy.ts'
import { SlotsChanged } from '../blob/epoch.ts'
import type { ListedBlob } from '../blob/identify.ts'
import { judgeBlobs, removeOrphan, type JudgedBlob } from '../blob/judge.ts'
import { isWhole, planBlob, stripesSeen, type BlobPlan } from '../blob/plan.ts'
import { planFor, restoreBlob, type LiveBlob, type Restored } from '../blob/restore.ts'
import { sameSlots, type WorkGroup, type WorkView } from '../cluster/view.ts'
import { finishedSlots, type SlotFinisher } from './finish.ts'
import { ListFailure, mergeLists } from './merge.ts'
import type { PassResult } from './schedule.ts'

export interface PassRequest {
  readonly view: WorkView
  readonly group: WorkGroup
  /** Of every blob, metadata is asked whether it is alive; otherwise only of those that lack something. */
  readonly deep: boolean
  /** Blobs that an earlier pass found to be named by no record, and too young to be removed. */
  readonly suspects: ReadonlySet<string>
  /** Monotonic time of the first look at the group since its slots are as they are; absent: this is it. */
  readonly firstLookMs: number | undefined
  readonly signal: AbortSignal
  /** Called with each blob that was brought to where it belongs, and the bytes that were moved for it. */
  readonly onBlob: (blobs: number, bytes: number) => void
}

export interface Passed {
  readonly result: PassResult
  /** Blobs to look at again, though they should seem whole. */
  readonly suspects: ReadonlySet<string>
}

/** Failures that are not one blob's: metadata is away, or has too much to do as it is. */
const OF_ALL: ReadonlySet<FailureCode> = new Set([FailureCode.UNAVAILABLE, FailureCode.SLOW_DOWN])

/** @throws {MetadataError}, or the signal's reason */
export async function passGroup(
  context: WorkContext,
  finisher: SlotFinisher,
  request: PassRequest,
): Promise<Passed> {
  const { group, firstLookMs, suspects } = request
  const beganMs = context.clock.monotonicMs()
  const silent = new Set<string>()
  for (;;) {
    const pass = new Pass(context, request, silent)
    try {
      await pass.run()
    } catch (error) {
      if (error instanceof SlotsChanged) return { result: 'now', suspects }
      if (!(error instanceof ListFailure)) throw error
      context.log.debug('a pass goes on without a node', { group: group.id, node: error.node, error })
      silent.add(error.node)
      continue
    }
    const settled = firstLookMs !== undefined && beganMs - firstLookMs >= SLOT_SETTLE_MS
    const result = await conclude(context, finisher, request, pass, settled)
    return { result, suspects: pass.suspects }
  }
}

async function conclude(
  context: WorkContext,
  finisher: SlotFinisher,
  { view, group, signal }: PassRequest,
  pass: Pass,
  settled: boolean,
): Promise<PassResult> {
  const newest = (await context.watch.view(signal)).groups.get(group.id)
  if (pass.changed || newest === undefined || !sameSlots(newest, group)) {
    await context.watch.newerThan(view.epoch)
    return 'now'
  }
  const finished = finishedSlots(view, group, pass.listed, pass.lacking)
  if (finished.length > 0) {
    if (settled) finisher.finish(finished)
    // The change of the map makes the group due at once; should it not come, the next look does this again.
    return 'settle'
  }
  if (pass.undone > 0) return 'later'
  const moving = group.slots.some(({ filling }) => filling)
  if (moving) return pass.worked ? 'now' : 'later'
  return pass.suspects.size > 0 ? 'ageing' : 'none'
}

class Pass {
  /** Nodes that gave all of their lists, once the pass has run. */
  readonly listed: ReadonlySet<string>
  /** Shard numbers of slots that move, whose node lacked a shard when it was listed. */
  readonly lacking = new Set<number>()
  /** Blobs that could not be brought to where they belong. */
  undone = 0
  /** Blobs that no record names, and that may not be removed yet: the first of them. */
  readonly suspects = new Set<string>()
  /** Something was moved. */
  worked = false
  /** The map or a record changed under the pass. */
  changed = false
  readonly #context: WorkContext
  readonly #request: PassRequest
  /** Every node that may come back was listed. */
  readonly #all: boolean

  constructor(context: WorkContext, request: PassRequest, silent: ReadonlySet<string>) {
    this.#context = context
    this.#request = request
    const nodes = [...request.view.nodes.values()]
    this.listed = new Set(nodes.filter(({ id, up }) => up && !silent.has(id)).map(({ id }) => id))
    this.#all = nodes.every(({ id, lost }) => lost || this.listed.has(id))
  }

  /** @throws {ListFailure}, {MetadataError}, or the signal's reason */
  async run(): Promise<void> {
    const { view, group, deep, suspects, signal } = this.#request
    const lists = { nodes: [...this.listed], group: group.id, epoch: view.epoch, signal }
    let window: ListedBlob[] = []
    let shards = 0
    for await (const blob of mergeLists(this.#context, lists)) {
      if (!deep && !suspects.has(blob.blob) && !this.#wants(blob)) continue
      window.push(blob)
      shards += blob.held.length
      if (window.length < GROUP_WINDOW_BLOBS && shards < GROUP_WINDOW_SHARDS) continue
      await this.#treat(window)
      window = []
      shards = 0
    }
    await this.#treat(window)
  }

  /** Whether to look closer at a blob, by its shards alone. */
  #wants({ held }: ListedBlob): boolean {
    const { view, group } = this.#request
    const plan = planBlob({
      code: group.pool.code,
      stripes: stripesSeen(held),
      slots: group.slots,
      held,
      listed: this.listed,
      writable: (node) => view.isWritable(node),
    })
    if (isWhole(plan)) return false
    if (plan.actionable) return true
    this.undone++
    this.#note(plan)
    return false
  }

  #note({ missing }: Pick<BlobPlan, 'missing'>): void {
    for (const shard of missing) this.lacking.add(shard)
  }

  async #treat(window: readonly ListedBlob[]): Promise<void> {
    if (window.length === 0) return
    const { view, group, signal } = this.#request
    const judged = await judgeBlobs(this.#context, group, window, signal)
    // First what is to go: the answer is of this moment.
    await eachOf(judged, WORK_BLOBS_IN_FLIGHT_MAX, async (blob) => {
      if (blob.verdict.kind !== 'orphan') return
      if (!(await removeOrphan(this.#context, group.id, blob, signal))) this.undone++
    })
    const live = judged.flatMap((blob) => {
      if (blob.verdict.kind !== 'live') return []
      const { place, record } = blob.verdict
      const one: LiveBlob = { place, record, held: blob.held, listed: this.listed }
      return [{ one, plan: planFor(view, group, one) }]
    })
    live.sort((a, b) => a.plan.spare - b.plan.spare)
    await eachOf(live, WORK_BLOBS_IN_FLIGHT_MAX, ({ one, plan }) => this.#restore(one, plan))
    await eachOf(judged, WORK_BLOBS_IN_FLIGHT_MAX, (blob) => this.#keep(blob))
  }

  async #restore(live: LiveBlob, plan: BlobPlan): Promise<void> {
    const { group, onBlob } = this.#request
    const lost = plan.spare < 0 && this.#all && plan.rebuild.length === 0
    if (!lost) this.#note(plan)
    // One that was written or removed while the nodes were listed looks the same.
    else if (this.#context.clock.nowMs() - blobTimeMs(live.record.id) > BLOB_LOST_AGE_MS) {
      this.#context.log.error('a blob is lost', { group: group.id, place: live.place })
    }
    const restored = await this.#tryTo(live)
    if (restored === undefined) return
    const { outcome, made, bytes } = restored
    if (outcome === 'changed') this.changed = true
    if (outcome === 'waiting' && !lost) this.undone++
    if (made > 0) this.worked = true
    const needed = !isWhole(plan) || live.record.relocations.length > 0
    if (needed) onBlob(outcome === 'whole' ? 1 : 0, bytes)
  }

  /** One blob that metadata has its trouble with does not keep the others from their repair. */
  async #tryTo(live: LiveBlob): Promise<Restored | undefined> {
    const { group, signal } = this.#request
    const view = await this.#context.watch.view(signal)
    try {
      return await restoreBlob(this.#context, view, group, live, signal)
    } catch (error) {
      signal.throwIfAborted()
      const ofOne = error instanceof MetadataError && !OF_ALL.has(error.code)
      if (!ofOne) throw error
      this.#context.log.warn('a blob could not be brought to its place', { blob: live.record.id, error })
      this.undone++
      return undefined
    }
  }

  /** What may become alive yet, and what cannot be judged: only copied from where a slot's shards were. */
  async #keep({ blob, held, verdict }: JudgedBlob): Promise<void> {
    const { group, signal } = this.#request
    if (verdict.kind === 'young') {
      if (this.suspects.size < GROUP_SUSPECTS_MAX) this.suspects.add(blob)
      const listed = { blob, held }
      const { shards } = await copyFromSources(this.#context, group, listed, verdict.owner, signal)
      if (shards.size > 0) this.worked = true
      this.#note({ missing: shards })
    }
    if (verdict.kind === 'unknown' && held.some(({ damaged }) => !damaged)) {
      this.undone++
      this.#note({ missing: new Set(group.slots.keys()) })
    }
  }
}
