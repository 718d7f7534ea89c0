/** Blobs that are known to need repair: the least redundant first, then the oldest. Bounded; no I/O. */

import { shardsToSpare } from '../../core/erasure/repair.ts'
import { REPAIR_QUEUE_MAX, REPAIR_RETRY_MS_MAX, REPAIR_RETRY_MS_MIN } from '../../core/limits.ts'
import type { Relocation } from '../../core/placement/relocation.ts'
import type { Place } from '../blob/identify.ts'
import type { WorkView } from '../cluster/view.ts'

/** One reason why a blob needs repair. */
export interface RepairNeed {
  readonly group: number
  readonly blob: string
  /** Bytes of the blob, if they are known. */
  readonly size?: number
  /** Unix milliseconds: since when it is known. */
  readonly sinceMs: number
  /** From the outbox. */
  readonly task?: {
    readonly outbox: bigint
    readonly sequence: bigint
    readonly place: Place
    readonly relocations: readonly Relocation[]
  }
  /** From a node's list of damaged shards. */
  readonly damaged?: { readonly node: string; readonly shard: number }
}

/** A blob that needs repair, with all the reasons that are known. */
export interface RepairItem {
  readonly group: number
  readonly blob: string
  size: number
  sinceMs: number
  place: Place | undefined
  relocations: readonly Relocation[]
  /** Records of outboxes that ask for it, by outbox. */
  readonly sequences: Map<bigint, Set<bigint>>
  /** Nodes that say they cannot read a shard of it, with its number. */
  readonly damaged: Map<string, Set<number>>
  attempts: number
  /** Monotonic milliseconds. */
  retryAtMs: number
  running: boolean
}

export class RepairQueue {
  readonly #items = new Map<string, RepairItem>()

  get size(): number {
    return this.#items.size
  }

  get full(): boolean {
    return this.#items.size >= REPAIR_QUEUE_MAX
  }

  /** Bytes of the blobs, as far as they are known. */
  get bytes(): number {
    let bytes = 0
    for (const { size } of this.#items.values()) bytes += size
    return bytes
  }

  /** False: it is full, and the need was not taken. */
  add(need: RepairNeed): boolean {
    const key = `${need.group}/${need.blob}`
    let item = this.#items.get(key)
    if (item === undefined) {
      if (this.full) return false
      item = {
        group: need.group,
        blob: need.blob,
        size: 0,
        sinceMs: need.sinceMs,
        place: undefined,
        relocations: [],
        sequences: new Map(),
        damaged: new Map(),
        attempts: 0,
        retryAtMs: 0,
        running: false,
      }
      this.#items.set(key, item)
    }
    item.sinceMs = Math.min(item.sinceMs, need.sinceMs)
    item.size = Math.max(item.size, need.size ?? 0)
    if (need.task !== undefined) {
      const { outbox, sequence } = need.task
      const ofOutbox = item.sequences.get(outbox) ?? new Set()
      item.sequences.set(outbox, ofOutbox.add(sequence))
      item.place = need.task.place
      item.relocations = need.task.relocations
    }
    if (need.damaged !== undefined) {
      const { node, shard } = need.damaged
      const ofNode = item.damaged.get(node) ?? new Set()
      item.damaged.set(node, ofNode.add(shard))
    }
    return true
  }

  /** The most urgent that may be tried now. They are taken as running until they are settled. */
  take(view: WorkView, nowMs: number, limit: number): RepairItem[] {
    const ready = [...this.#items.values()]
      .filter((item) => !item.running && item.retryAtMs <= nowMs)
      .map((item) => ({ item, spare: spareOf(item, view) }))
    ready.sort((a, b) => a.spare - b.spare || a.item.sinceMs - b.item.sinceMs)
    const taken = ready.slice(0, limit).map(({ item }) => item)
    for (const item of taken) item.running = true
    return taken
  }

  /** It is done with. */
  remove({ group, blob }: RepairItem): void {
    this.#items.delete(`${group}/${blob}`)
  }

  /** So many more may be added. */
  get room(): number {
    return Math.max(0, REPAIR_QUEUE_MAX - this.#items.size)
  }

  /**
   * It is tried again after a pause that grows with each attempt. False: the queue is full, and rather forgets it, so that what
   * cannot be repaired keeps no room from what can.
   */
  postpone(item: RepairItem, nowMs: number): boolean {
    if (this.full) {
      this.remove(item)
      return false
    }
    const pauseMs = Math.min(REPAIR_RETRY_MS_MAX, REPAIR_RETRY_MS_MIN * 2 ** item.attempts)
    item.attempts++
    item.retryAtMs = nowMs + pauseMs
    item.running = false
    return true
  }

  /** The cluster is another: all of them may be tried again. */
  hasten(): void {
    for (const item of this.#items.values()) {
      item.attempts = 0
      item.retryAtMs = 0
    }
  }
}

/** How many more shards the blob can lose, whichever, by what is known without asking. */
function spareOf(item: Pick<RepairItem, 'group' | 'relocations' | 'damaged'>, view: WorkView): number {
  const group = view.groups.get(item.group)
  if (group === undefined) return 0
  const lost = group.slots.flatMap(({ node, source }, shard) => {
    const away = item.relocations.filter((relocation) => relocation.shard === shard)
    if (away.length > 0) return away.every((one) => view.isUp(one.node)) ? [] : [shard]
    const there = [node, source].some(
      (id) => id !== '' && view.isUp(id) && item.damaged.get(id)?.has(shard) !== true,
    )
    return there ? [] : [shard]
  })
  return shardsToSpare(group.pool.code, lost)
}

/** Nothing can be done for it as long as the nodes are as they are: every shard that it lacks belongs on one that is away. */
export function isHopeless(relocations: readonly Relocation[], group: number, view: WorkView): boolean {
  const slots = view.groups.get(group)?.slots
  if (slots === undefined || relocations.length === 0) return false
  return relocations.every(({ shard }) => {
    const node = slots[shard]?.node
    return node !== undefined && !view.isWritable(node)
  })
}
