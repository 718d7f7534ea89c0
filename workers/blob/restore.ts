/** Brings a live blob's shards to where they belong, and removes what is too many. */

import { parseCode } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { BLOB_STRIPES_IN_FLIGHT_MAX, WORK_RETRY_MS_MIN } from '../../core/limits.ts'
import { relocatedTo } from '../../core/placement/relocation.ts'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { StoreError } from '../../store/api.ts'
import type { RebuildStripe, StripeRepair } from '../../store/repair/api.ts'
import type { WorkGroup, WorkView } from '../cluster/view.ts'
import { askMetadata, eachOf, type WorkContext } from './context.ts'
import type { Place } from './identify.ts'
import { planBlob, type BlobPlan, type HeldShard, type StripePlan } from './plan.ts'
import { removeExtras } from './extras.ts'

export interface LiveBlob {
  readonly place: Place
  /** As metadata had it a moment ago. */
  readonly record: BlobRecord
  readonly held: readonly HeldShard[]
  readonly listed: ReadonlySet<string>
}

export interface Restored {
  /**
   * - `whole`: every shard is on its slot's node, the record says nothing else, and no copy is left elsewhere but on sources
   *   of slots that move.
   * - `waiting`: as much as could be done now was done; the rest needs nodes that are away, full or failing.
   * - `changed`: the record changed meanwhile: look again.
   */
  readonly outcome: 'whole' | 'waiting' | 'changed'
  /** Shard numbers of which some stripe's is not on its slot's node now. */
  readonly missing: ReadonlySet<number>
  /** Fewer than k shards of some stripe could be found. */
  readonly unreadable: boolean
  /** Shards that were made. */
  readonly made: number
  /** Bytes of shards read and written. */
  readonly bytes: number
}

/** What is to be done for a live blob, by that view. */
export function planFor(view: WorkView, group: WorkGroup, live: Omit<LiveBlob, 'place'>): BlobPlan {
  const code = parseCode(live.record.code)
  return planBlob({
    code,
    stripes: stripeCount(code, Number(live.record.size)),
    slots: group.slots,
    held: live.held,
    listed: live.listed,
    writable: (node) => view.isWritable(node),
  })
}

/** @throws {MetadataError}, {SlotsChanged}, or the signal's reason */
export async function restoreBlob(
  context: WorkContext,
  view: WorkView,
  group: WorkGroup,
  live: LiveBlob,
  signal: AbortSignal,
): Promise<Restored> {
  const plan = planFor(view, group, live)
  const made = await rebuild(context, view, live, plan, signal)
  const missing = new Set(plan.missing)
  if (plan.waiting === 0 && made.failed === 0) missing.clear()
  const unreadable = plan.spare < 0
  const counts = { missing, unreadable, made: made.shards.size, bytes: made.bytes }
  let { relocations } = live.record
  if (missing.size === 0 && relocations.length > 0) {
    const replaced = await clearRelocations(context, live, signal)
    if (!replaced) return { outcome: 'changed', ...counts }
    relocations = []
  }
  // What the record still sends readers to stays.
  const extras = plan.extras.filter(
    ({ node, stripe, shard }) => relocatedTo(relocations, shard, stripe) !== node,
  )
  const stripes = stripeCount(parseCode(live.record.code), Number(live.record.size))
  const left = await removeExtras(context, {
    group,
    blob: live.record.id,
    extras,
    onSlot({ stripe, shard }) {
      if (stripe >= stripes || shard >= group.slots.length) return 'needless'
      return made.shards.has(keyOf(stripe, shard)) ? 'verified' : isListed(live, group, stripe, shard)
    },
    signal,
  })
  const whole = missing.size === 0 && left === 0
  return { outcome: whole ? 'whole' : 'waiting', ...counts }
}

function keyOf(stripe: number, shard: number): string {
  return `${stripe}/${shard}`
}

function isListed(live: LiveBlob, group: WorkGroup, stripe: number, shard: number): 'listed' | 'missing' {
  const node = group.slots[shard]?.node
  const found = live.held.some(
    (one) => one.stripe === stripe && one.shard === shard && one.node === node && !one.damaged,
  )
  return found ? 'listed' : 'missing'
}

interface Made {
  /** By {@link keyOf}; durable on their slots' nodes and read back from there. */
  readonly shards: ReadonlySet<string>
  readonly failed: number
  readonly bytes: number
}

async function rebuild(
  context: WorkContext,
  { epoch }: WorkView,
  { place, record }: LiveBlob,
  plan: BlobPlan,
  signal: AbortSignal,
): Promise<Made> {
  const { gate, budget, log } = context
  const { bucket, key, version, part, annotation } = place
  const owner = { bucket, key, version, part, ...(annotation === '' ? {} : { annotation }) }
  const shards = new Set<string>()
  let failed = 0
  let bytes = 0
  const one = async ({ stripe, sources, wanted }: StripePlan): Promise<void> => {
    const request = { blob: record, owner, stripe, sources, wanted, epoch, budget }
    let repair: StripeRepair
    try {
      repair = await gate.run(plan.spare, signal, () => rebuildInTurn(context, request, signal))
    } catch (error) {
      signal.throwIfAborted()
      log.warn('a stripe could not be repaired', { blob: record.id, stripe, error })
      failed += wanted.size
      return
    }
    for (const shard of repair.stored) shards.add(keyOf(stripe, shard))
    for (const [shard, error] of repair.failed) {
      log.debug('a shard could not be brought to its slot', { blob: record.id, stripe, shard, error })
    }
    failed += repair.failed.size
    bytes += repair.bytesRead + repair.bytesWritten
  }
  await eachOf(plan.rebuild, BLOB_STRIPES_IN_FLIGHT_MAX, one)
  return { shards, failed, bytes }
}

/** Under a small budget, memory for stripes may be long in coming: that is no failure. */
async function rebuildInTurn(
  { store, clock }: WorkContext,
  request: RebuildStripe,
  signal: AbortSignal,
): Promise<StripeRepair> {
  for (;;) {
    try {
      return await store.rebuildStripe(request, signal)
    } catch (error) {
      const patience = error instanceof StoreError && error.code === 'overloaded'
      if (!patience) throw error
      await clock.sleep(WORK_RETRY_MS_MIN, signal)
    }
  }
}

/** Makes the record say that all shards are on their slots. False: it is another by now. */
async function clearRelocations(
  context: WorkContext,
  { place, record }: LiveBlob,
  signal: AbortSignal,
): Promise<boolean> {
  const replacement = { ...record, relocations: [] }
  const request = { place, expected: record, replacement }
  const { replaced } = await askMetadata(context, signal, 'replaceBlob', request)
  return replaced
}
