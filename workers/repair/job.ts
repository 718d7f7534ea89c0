/** The repair scheduler: what is owed by degraded writes, asked for by readers, and found damaged by nodes. */

import {
  DAMAGED_POLL_MS,
  OUTBOX_PAGE_MAX,
  REPAIR_BATCH,
  REPAIR_POLL_MS,
  SHARD_DAMAGED_LIST_MAX,
  WORK_BLOBS_IN_FLIGHT_MAX,
} from '../../core/limits.ts'
import { OutboxKind } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { OutboxRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { DamagedShard, ShardAddress } from '../../proto/shard-transport.ts'
import { askMetadata, eachOf, inTime, type WorkContext } from '../blob/context.ts'
import type { WorkView } from '../cluster/view.ts'
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
  /** The outbox has been read up to here. */
  #cursor = 0n
  /** There is more in the outbox before the cursor than the queue holds. */
  #skipped = false
  /** By node: monotonic time from which its list of damaged shards is looked at again. */
  readonly #lookAt = new Map<string, number>()
  /** What the cluster was when the outbox was last read from its start. */
  #seen = ''

  constructor(context: WorkContext, session: Session) {
    this.#context = context
    this.#session = session
  }

  async round(): Promise<number> {
    const { clock, watch } = this.#context
    const { signal } = this.#session
    const view = await watch.view(signal)
    this.#startOver(view)
    await this.#readOutbox(view)
    await this.#readDamaged(view)
    const taken = this.#queue.take(view, clock.monotonicMs(), REPAIR_BATCH)
    this.#tell()
    const settled: bigint[] = []
    try {
      await eachOf(taken, WORK_BLOBS_IN_FLIGHT_MAX, async (item) => {
        settled.push(...(await this.#repair(item)))
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
    const emptied = this.#skipped && this.#queue.size === 0
    if (seen === this.#seen && !emptied) return
    if (seen !== this.#seen) this.#queue.hasten()
    this.#seen = seen
    this.#skipped = false
    this.#cursor = 0n
  }

  async #readOutbox(view: WorkView): Promise<void> {
    const { signal } = this.#session
    while (!this.#queue.full) {
      const { records } = await askMetadata(this.#context, signal, 'readOutbox', {
        after: this.#cursor,
        limit: OUTBOX_PAGE_MAX,
        kind: OutboxKind.REPAIR,
      })
      for (const record of records) this.#consider(record, view)
      const last = records.at(-1)
      if (last === undefined) return
      this.#cursor = last.sequence
    }
    this.#skipped = true
  }

  #consider({ sequence, createdMs, task }: OutboxRecord, view: WorkView): void {
    if (task.case !== 'repair' || task.value.blob === undefined) return
    const { bucket, key, version, part, annotation, blob } = task.value
    // It is read again when the nodes are others: until then it would only take room.
    if (isHopeless(blob.relocations, blob.group, view)) return
    const taken = this.#queue.add({
      group: blob.group,
      blob: blob.id,
      size: Number(blob.size),
      sinceMs: Number(createdMs),
      task: {
        sequence,
        place: { bucket, key, version, part, annotation, blob: blob.id },
        relocations: blob.relocations,
      },
    })
    if (!taken) this.#skipped = true
  }

  async #readDamaged(view: WorkView): Promise<void> {
    const now = this.#context.clock.monotonicMs()
    for (const { id, up, damagedShards } of view.nodes.values()) {
      if (!up || damagedShards === 0 || (this.#lookAt.get(id) ?? 0) > now) continue
      this.#lookAt.set(id, now + DAMAGED_POLL_MS)
      try {
        await this.#readDamagedOf(id)
      } catch (error) {
        this.#session.signal.throwIfAborted()
        this.#context.log.debug('a node does not tell its damaged shards', { node: id, error })
      }
    }
  }

  async #readDamagedOf(node: string): Promise<void> {
    const { shards, clock } = this.#context
    let after: ShardAddress | undefined
    while (!this.#queue.full) {
      const from = after
      const request = { limit: SHARD_DAMAGED_LIST_MAX, ...(from === undefined ? {} : { after: from }) }
      const page = await inTime(clock, this.#session.signal, (ending) =>
        shards.node(node).damaged(request, ending),
      )
      for (const one of page.shards) this.#queue.add(needOf(node, one))
      after = page.shards.at(-1)?.address
      if (!page.truncated || after === undefined) return
    }
  }

  /** Resolves to the outbox records that are done with. */
  async #repair(item: RepairItem): Promise<readonly bigint[]> {
    const { clock, log } = this.#context
    const { signal, progress } = this.#session
    try {
      const { outcome, bytes } = await repairBlob(this.#context, item, signal)
      progress.add(outcome === 'done' ? 1 : 0, bytes)
      if (outcome === 'done') {
        this.#queue.remove(item)
        return [...item.sequences]
      }
    } catch (error) {
      signal.throwIfAborted()
      log.warn('a repair failed', { group: item.group, blob: item.blob, error })
    }
    this.#queue.postpone(item, clock.monotonicMs())
    return []
  }

  async #acknowledge(sequences: readonly bigint[]): Promise<void> {
    for (let at = 0; at < sequences.length; at += OUTBOX_PAGE_MAX) {
      const some = sequences.slice(at, at + OUTBOX_PAGE_MAX)
      await askMetadata(this.#context, this.#session.signal, 'acknowledgeOutbox', { sequences: some })
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
