/** The repair scheduler: what is owed by degraded writes, asked for by readers, and found damaged by nodes. */

import {
  DAMAGED_POLL_MS,
  OUTBOX_PAGE_MAX,
  OUTBOX_RETRY_MS,
  REPAIR_BATCH,
  REPAIR_POLL_MS,
  REPAIR_RETRY_MS_MAX,
  SHARD_DAMAGED_LIST_MAX,
  WORK_BLOBS_IN_FLIGHT_MAX,
} from '../../core/limits.ts'
import { isSystemGroup } from '../../core/placement/group.ts'
import { OutboxKind } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { OutboxRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { DamagedShard, ShardAddress } from '../../proto/shard-transport.ts'
import { askMetadata, eachOf, inTime, type WorkContext } from '../blob/context.ts'
import type { WorkView } from '../cluster/view.ts'
import { Outboxes } from '../outboxes.ts'
import type { Job, Rounds, Session } from '../runner/job.ts'
import { isHopeless, RepairQueue, type RepairItem } from './queue.ts'
import { repairBlob } from './repair-blob.ts'

/** One process at a time does it: a blob's repair reads and writes on all nodes anyway. */
export function repairJob(context: WorkContext): Job {
  return { lease: 'repair', kind: 'repair', open: (session) => new RepairRounds(context, session) }
}

class RepairRounds implements Rounds {
  readonly #context: WorkContext
  readonly #session: Session
  readonly #queue = new RepairQueue()
  readonly #outboxes: Outboxes
  /** By outbox: it has been read up to here. */
  readonly #cursors = new Map<bigint, bigint>()
  /** By outbox that could not be read: monotonic time from which it is tried again. */
  readonly #restsUntil = new Map<bigint, number>()
  /** Monotonic time from which they are read from their start again, since the queue forgot some of it; undefined: it did not. */
  #againAtMs: number | undefined
  /** By node: monotonic time from which its list of damaged shards is looked at again. */
  readonly #lookAt = new Map<string, number>()
  /** By node: the last of those that there was room for, where its list is longer. */
  readonly #damagedUpTo = new Map<string, ShardAddress>()
  /** What the cluster was when the outboxes were last read from their start. */
  #seen = ''

  constructor(context: WorkContext, session: Session) {
    this.#context = context
    this.#session = session
    this.#outboxes = new Outboxes(context)
  }

  async round(): Promise<number> {
    const { clock, watch } = this.#context
    const { signal } = this.#session
    const view = await watch.view(signal)
    this.#startOver(view)
    await this.#readOutboxes(view)
    await this.#readDamaged(view)
    const taken = this.#queue.take(view, clock.monotonicMs(), REPAIR_BATCH)
    this.#tell()
    const settled: RepairItem[] = []
    try {
      await eachOf(taken, WORK_BLOBS_IN_FLIGHT_MAX, async (item) => {
        if (await this.#repair(item)) settled.push(item)
        this.#tell()
      })
    } finally {
      // What is done is done, though the round should have failed further on.
      if (settled.length > 0 && !signal.aborted) await this.#acknowledge(settled)
    }
    return taken.length === REPAIR_BATCH ? 0 : REPAIR_POLL_MS
  }

  /** Where nodes or slots are others than before, what could not be done may be possible now. */
  #startOver(view: WorkView): void {
    const seen = `${view.epoch} ${[...view.nodes.values()].map(({ writable, up }) => `${Number(up)}${Number(writable)}`).join()}`
    if (seen === this.#seen) return
    this.#queue.hasten()
    this.#seen = seen
    this.#againAtMs = undefined
    this.#cursors.clear()
  }

  /** One that cannot be read does not hold up the others. */
  async #readOutboxes(view: WorkView): Promise<void> {
    const { clock, log } = this.#context
    const { signal } = this.#session
    const outboxes = await this.#outboxes.list(signal)
    if (clock.monotonicMs() >= (this.#againAtMs ?? Number.POSITIVE_INFINITY)) {
      this.#againAtMs = undefined
      this.#cursors.clear()
    }
    let failure: Error | undefined
    let read = 0
    for (const outbox of outboxes) {
      if (clock.monotonicMs() < (this.#restsUntil.get(outbox) ?? 0)) continue
      try {
        await this.#readOutbox(outbox, view)
        read++
      } catch (error) {
        signal.throwIfAborted()
        log.warn('an outbox cannot be read; it is asked again', { outbox, error })
        failure = error instanceof Error ? error : new Error(String(error))
        this.#restsUntil.set(outbox, clock.monotonicMs() + OUTBOX_RETRY_MS)
      }
    }
    if (failure !== undefined && read === 0) throw failure
  }

  async #readOutbox(outbox: bigint, view: WorkView): Promise<void> {
    const { signal } = this.#session
    while (!this.#queue.full) {
      const { records } = await askMetadata(this.#context, signal, 'readOutbox', {
        outbox,
        after: this.#cursors.get(outbox) ?? 0n,
        limit: Math.min(OUTBOX_PAGE_MAX, this.#queue.room),
        kind: OutboxKind.REPAIR,
      })
      for (const record of records) {
        if (!this.#consider(outbox, record, view)) return
        this.#cursors.set(outbox, record.sequence)
      }
      if (records.length === 0) return
    }
  }

  /** False: there is no room for it. */
  #consider(outbox: bigint, { sequence, createdMs, task }: OutboxRecord, view: WorkView): boolean {
    if (task.case !== 'repair' || task.value.blob === undefined) return true
    const { bucket, key, version, part, annotation, blob } = task.value
    // It is read again when the nodes are others: until then it would only take room.
    if (isHopeless(blob.relocations, blob.group, view)) return true
    return this.#queue.add({
      group: blob.group,
      blob: blob.id,
      size: Number(blob.size),
      sinceMs: Number(createdMs),
      task: {
        outbox,
        sequence,
        place: { bucket, key, version, part, annotation, blob: blob.id },
        relocations: blob.relocations,
      },
    })
  }

  async #readDamaged(view: WorkView): Promise<void> {
    const now = this.#context.clock.monotonicMs()
    for (const { id, writable, damagedShards } of view.nodes.values()) {
      // One that takes nothing cannot be given them again.
      if (!writable || damagedShards === 0 || (this.#lookAt.get(id) ?? 0) > now) continue
      this.#lookAt.set(id, now + DAMAGED_POLL_MS)
      try {
        if (!(await this.#readDamagedOf(id))) this.#lookAt.delete(id)
      } catch (error) {
        this.#session.signal.throwIfAborted()
        this.#context.log.debug('a node does not tell its damaged shards', { node: id, error })
      }
    }
  }

  /** False: there is no room for all of them. The next time goes on from there. */
  async #readDamagedOf(node: string): Promise<boolean> {
    const { shards, clock } = this.#context
    while (!this.#queue.full) {
      const from = this.#damagedUpTo.get(node)
      const request = { limit: SHARD_DAMAGED_LIST_MAX, ...(from === undefined ? {} : { after: from }) }
      const page = await inTime(clock, this.#session.signal, (ending) =>
        shards.node(node).damaged(request, ending),
      )
      for (const one of page.shards) {
        // Whose they are makes them anew.
        if (isSystemGroup(one.address.group)) continue
        if (!this.#queue.add(needOf(node, one))) return false
        this.#damagedUpTo.set(node, one.address)
      }
      if (page.truncated && page.shards.length > 0) continue
      this.#damagedUpTo.delete(node)
      return true
    }
    return false
  }

  /** Whether the outbox records that ask for it are done with. */
  async #repair(item: RepairItem): Promise<boolean> {
    const { clock, log } = this.#context
    const { signal, progress } = this.#session
    try {
      const { outcome, bytes } = await repairBlob(this.#context, item, signal)
      progress.add(outcome === 'done' ? 1 : 0, bytes)
      if (outcome === 'done') {
        this.#queue.remove(item)
        return true
      }
    } catch (error) {
      signal.throwIfAborted()
      log.warn('a repair failed', { group: item.group, blob: item.blob, error })
    }
    const kept = this.#queue.postpone(item, clock.monotonicMs())
    if (!kept && item.sequences.size > 0) this.#againAtMs ??= clock.monotonicMs() + REPAIR_RETRY_MS_MAX
    return false
  }

  async #acknowledge(items: readonly RepairItem[]): Promise<void> {
    for (const outbox of new Set(items.flatMap(({ sequences }) => [...sequences.keys()]))) {
      const all = items.flatMap(({ sequences }) => [...(sequences.get(outbox) ?? [])])
      for (let at = 0; at < all.length; at += OUTBOX_PAGE_MAX) {
        const request = { outbox, sequences: all.slice(at, at + OUTBOX_PAGE_MAX) }
        await askMetadata(this.#context, this.#session.signal, 'acknowledgeOutbox', request)
      }
    }
  }

  #tell(): void {
    const { progress } = this.#session
    progress.itemsWaiting = this.#queue.size
    progress.bytesWaiting = this.#queue.bytes
    progress.now = this.#queue.size === 0 ? '' : `${this.#queue.size} blobs to repair`
  }
}

function needOf(node: string, { address, foundMs }: DamagedShard) {
  const { group, blob, shard } = address
  return { group, blob, sinceMs: foundMs, damaged: { node, shard } }
}
