/** Repair of one blob. */

import { BlobState } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { ShardError } from '../../proto/shard-transport.ts'
import type { WorkContext } from '../blob/context.ts'
import { SlotsChanged } from '../blob/epoch.ts'
import { resolvePlaces, type ListedBlob, type Place } from '../blob/identify.ts'
import { belongs, judgeBlobs, removeOrphan } from '../blob/judge.ts'
import { listBlob } from '../blob/list.ts'
import type { HeldShard } from '../blob/plan.ts'
import { restoreBlob, type Restored } from '../blob/restore.ts'
import type { WorkGroup, WorkView } from '../cluster/view.ts'
import type { RepairItem } from './queue.ts'

export interface Repaired {
  /**
   * - `done`: every shard is where it belongs, or no record names the blob any more.
   * - `later`: nodes that are away, full or failing are needed.
   * - `again`: the cluster or the record changed meanwhile.
   */
  readonly outcome: 'done' | 'later' | 'again'
  readonly bytes: number
}

const DONE: Repaired = { outcome: 'done', bytes: 0 }
const LATER: Repaired = { outcome: 'later', bytes: 0 }
const AGAIN: Repaired = { outcome: 'again', bytes: 0 }

/** @throws {MetadataError}, or the signal's reason */
export async function repairBlob(
  context: WorkContext,
  item: RepairItem,
  signal: AbortSignal,
): Promise<Repaired> {
  const view = await context.watch.view(signal)
  const group = view.groups.get(item.group)
  if (group === undefined) return await ofNoGroup(context, item, signal)
  const lists = new Lists(context, view, item)
  lists.askFor(group.slots.flatMap(({ node, source }) => [node, source]))
  lists.askFor(item.relocations.map(({ node }) => node))
  lists.askFor([...item.damaged.keys()])
  await lists.complete(signal)
  const found = await identify(context, group, item, lists, signal)
  if (found.kind !== 'live') return found.kind === 'gone' ? DONE : LATER
  const { place, record } = found
  lists.askFor(record.relocations.map(({ node }) => node))
  await lists.complete(signal)
  const live = { place, record, held: lists.held, listed: lists.listed }
  let restored: Restored
  try {
    restored = await restoreBlob(context, view, group, live, signal)
  } catch (error) {
    if (error instanceof SlotsChanged) return AGAIN
    throw error
  }
  const outcome = { whole: 'done', waiting: 'later', changed: 'again' } as const
  return { outcome: outcome[restored.outcome], bytes: restored.bytes }
}

/** The map knows its group no more: with the pool, all blobs of it went. */
async function ofNoGroup(
  context: WorkContext,
  { place }: RepairItem,
  signal: AbortSignal,
): Promise<Repaired> {
  if (place === undefined) return LATER
  const [resolved] = await resolvePlaces(context, [place], signal)
  return resolved?.state === BlobState.LIVE ? LATER : DONE
}

/** What the nodes list of one blob. */
class Lists {
  readonly held: HeldShard[] = []
  readonly listed = new Set<string>()
  readonly #context: WorkContext
  readonly #view: WorkView
  readonly #item: RepairItem
  readonly #wanted = new Set<string>()
  readonly #asked = new Set<string>()

  constructor(context: WorkContext, view: WorkView, item: RepairItem) {
    this.#context = context
    this.#view = view
    this.#item = item
  }

  askFor(nodes: readonly string[]): void {
    for (const node of nodes) if (this.#view.isUp(node) && !this.#asked.has(node)) this.#wanted.add(node)
  }

  /** Asks those. */
  async complete(signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#wanted].map(async (node) => {
        this.#asked.add(node)
        const { group, blob } = this.#item
        try {
          const held = await listBlob(this.#context, node, group, blob, this.#view.epoch, signal)
          this.held.push(...held)
          this.listed.add(node)
        } catch (error) {
          signal.throwIfAborted()
          if (error instanceof ShardError && error.code === 'invalid') throw error
          this.#context.log.debug('a node does not list its shards', { node, blob, error })
        }
      }),
    )
    this.#wanted.clear()
  }
}

type Found =
  | { readonly kind: 'live'; readonly place: Place; readonly record: BlobRecord }
  | { readonly kind: 'gone' }
  | { readonly kind: 'later' }

async function identify(
  context: WorkContext,
  group: WorkGroup,
  item: RepairItem,
  { held }: Lists,
  signal: AbortSignal,
): Promise<Found> {
  const { blob, place } = item
  if (place !== undefined) {
    const [resolved] = await resolvePlaces(context, [place], signal)
    const record = resolved?.blob
    if (resolved?.state === BlobState.LIVE && record !== undefined && belongs(group, blob, record)) {
      return { kind: 'live', place, record }
    }
    // A task is queued with the record's own commit, so it was there: by now it is deleted, and others remove its shards.
    return { kind: 'gone' }
  }
  if (held.length === 0) return { kind: 'gone' }
  const listed: ListedBlob = { blob, held }
  const [judged] = await judgeBlobs(context, group, [listed], signal)
  switch (judged?.verdict.kind) {
    case 'live':
      return judged.verdict
    case 'orphan':
      return (await removeOrphan(context, group.id, listed, signal)) ? { kind: 'gone' } : { kind: 'later' }
    case 'young':
    case 'unknown':
    case undefined:
      return { kind: 'later' }
  }
}
