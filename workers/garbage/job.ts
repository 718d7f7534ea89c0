/** Garbage collection: what commits made garbage is removed from the nodes once its grace is over. */

import {
  GARBAGE_DELETES_IN_FLIGHT_MAX,
  GARBAGE_DELETES_PER_S_MAX,
  GARBAGE_PAGE_TASKS,
  GARBAGE_POLL_MS_MAX,
  GARBAGE_POLL_MS_MIN,
  OUTBOX_RETRY_MS,
  SHARD_DELETE_TIMEOUT_MS,
} from '../../core/limits.ts'
import { OutboxKind } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { OutboxRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { Suspicion } from '../../store/cluster/suspicion.ts'
import { askMetadata } from '../blob/context.ts'
import { Budget } from '../budget.ts'
import { Outboxes } from '../outboxes.ts'
import type { Job, Rounds, Session } from '../runner/job.ts'
import { LeftTasks } from './left.ts'
import { type Delete, deletesOf, dueOf, type GarbageView, MapMotion } from './plan.ts'

export interface GarbageContext {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly log: Log
  /** The cluster as it was looked at last. */
  readonly watch: { view(signal: AbortSignal): Promise<GarbageView> }
  /** How long what became garbage stays, for reads that began before. */
  readonly graceMs: number
}

/** One process at a time does it: deletes are cheap, and two would only do the same. */
export function garbageJob(context: GarbageContext): Job {
  return { lease: 'garbage', kind: 'garbage', open: (session) => new GarbageRounds(context, session) }
}

/** A task in hand. */
interface Taken {
  readonly record: OutboxRecord
  /** Nodes on which it is not done. */
  readonly left: Set<string>
  failed: boolean
}

/** What is known of the nodes, and one budget for all of them. */
interface Nodes {
  readonly budget: Budget
  readonly suspicion: Suspicion
  readonly motion: MapMotion
}

/** An outbox that is gone through, and when its next page is due. */
interface Turn {
  readonly outbox: GarbageOutbox
  /** Monotonic milliseconds. */
  dueMs: number
}

/** Goes through all outboxes, one page of each in turn. One that cannot be read does not hold up the others. */
class GarbageRounds implements Rounds {
  readonly #context: GarbageContext
  readonly #session: Session
  readonly #nodes: Nodes
  readonly #outboxes: Outboxes
  /** By id. */
  #turns = new Map<bigint, Turn>()

  constructor(context: GarbageContext, session: Session) {
    this.#context = context
    this.#session = session
    this.#outboxes = new Outboxes(context)
    this.#nodes = {
      budget: new Budget(context.clock, GARBAGE_DELETES_PER_S_MAX),
      suspicion: new Suspicion(context.clock),
      motion: new MapMotion(),
    }
  }

  async round(): Promise<number> {
    const { clock, log } = this.#context
    const { signal } = this.#session
    await this.#list()
    let failure: Error | undefined
    let read = 0
    for (const [id, turn] of this.#turns) {
      if (clock.monotonicMs() < turn.dueMs) continue
      try {
        turn.dueMs = (await turn.outbox.round()) + clock.monotonicMs()
        read++
      } catch (error) {
        signal.throwIfAborted()
        log.warn('the garbage of an outbox cannot be collected; it is tried again', { outbox: id, error })
        failure = error instanceof Error ? error : new Error(String(error))
        turn.dueMs = clock.monotonicMs() + OUTBOX_RETRY_MS
      }
      this.#tell()
    }
    if (failure !== undefined && read === 0) throw failure
    const next = Math.min(
      GARBAGE_POLL_MS_MIN,
      ...[...this.#turns.values()].map(({ dueMs }) => dueMs - clock.monotonicMs()),
    )
    return Math.max(0, next)
  }

  async #list(): Promise<void> {
    const turns = new Map<bigint, Turn>()
    for (const id of await this.#outboxes.list(this.#session.signal)) {
      const outbox = new GarbageOutbox(this.#context, this.#session, this.#nodes, id)
      turns.set(id, this.#turns.get(id) ?? { outbox, dueMs: Number.NEGATIVE_INFINITY })
    }
    this.#turns = turns
  }

  #tell(): void {
    const { progress } = this.#session
    const stayed = [...this.#turns.values()].reduce((sum, { outbox }) => sum + outbox.stayed, 0)
    progress.itemsWaiting = stayed
    progress.now = stayed === 0 ? '' : `${stayed} tasks wait for nodes that fail`
  }
}

/**
 * Goes through one outbox page by page, again and again. A task whose blobs are gone from every node that is up is
 * acknowledged, and the manifest page it names goes with it. A node that is up and fails does not hold up others: the task
 * stays, and is tried again on that node alone. Everything may be done twice.
 */
class GarbageOutbox {
  readonly #context: GarbageContext
  readonly #session: Session
  readonly #nodes: Nodes
  readonly #id: bigint
  readonly #left = new LeftTasks()
  /** Tasks that were due and stayed, as far as this pass or else the last one has seen. */
  stayed = 0
  /** The outbox has been gone through up to here in this pass. */
  #cursor = 0n
  /** Tasks of this pass that are due, and stay. */
  #stayed = 0

  constructor(context: GarbageContext, session: Session, nodes: Nodes, id: bigint) {
    this.#context = context
    this.#session = session
    this.#nodes = nodes
    this.#id = id
  }

  /** One page. Resolves to how long to wait before the next, in milliseconds. */
  async round(): Promise<number> {
    const { watch, graceMs } = this.#context
    const { signal } = this.#session
    const kind = OutboxKind.GARBAGE
    const page = { outbox: this.#id, after: this.#cursor, limit: GARBAGE_PAGE_TASKS, kind }
    const { records, nowMs } = await askMetadata(this.#context, signal, 'readOutbox', page)
    const due = dueOf(records, Number(nowMs), graceMs)
    if (due.records.length > 0) {
      const done = await this.#collect(due.records, await watch.view(signal))
      this.#stayed += due.records.length - done
    }
    this.#cursor = due.through ?? this.#cursor
    this.stayed = this.#stayed
    if (records.length > 0 && due.waitMs === undefined) return 0
    const pauseMs = Math.min(GARBAGE_POLL_MS_MAX, GARBAGE_POLL_MS_MIN + this.#stayed * 10)
    this.#cursor = 0n
    this.#stayed = 0
    return Math.min(pauseMs, due.waitMs ?? pauseMs)
  }

  /** Resolves to how many of the tasks are done and acknowledged. */
  async #collect(records: readonly OutboxRecord[], view: GarbageView): Promise<number> {
    const { clock, graceMs } = this.#context
    const { signal } = this.#session
    const now = clock.monotonicMs()
    this.#nodes.motion.look(view, now)
    const everywhere = this.#nodes.motion.everywhere(view.nodes.size, now, graceMs)
    const taken = records
      .filter(({ sequence }) => !this.#left.rests(sequence, now))
      .map((record): Taken => ({ record, left: new Set(), failed: false }))
    await this.#run(this.#deletes(taken, view, everywhere))
    const done = taken.filter(({ left }) => left.size === 0)
    for (const { record, left, failed } of taken) {
      if (left.size > 0) this.#left.keep(record.sequence, left, failed, clock.monotonicMs())
    }
    if (done.length === 0) return 0
    const sequences = done.map(({ record }) => record.sequence)
    await askMetadata(this.#context, signal, 'acknowledgeOutbox', {
      outbox: this.#id,
      sequences,
    })
    for (const { record } of done) {
      this.#left.done(record.sequence)
      if (record.task.case !== 'garbage') continue
      const { blobs } = record.task.value
      this.#session.progress.add(
        blobs.length,
        blobs.reduce((sum, { size }) => sum + Number(size), 0),
      )
    }
    return done.length
  }

  /** What is to be done of these tasks, one after the other. */
  *#deletes(
    taken: readonly Taken[],
    view: GarbageView,
    everywhere: boolean,
  ): Generator<readonly [Taken, Delete]> {
    for (const one of taken) {
      const { task, sequence } = one.record
      if (task.case !== 'garbage') continue
      for (const each of deletesOf(view, task.value, everywhere)) {
        if (!this.#left.isDone(sequence, each.node)) yield [one, each]
      }
    }
  }

  /** @throws the signal's reason, when what was begun has ended */
  async #run(deletes: Iterator<readonly [Taken, Delete]>): Promise<void> {
    const { signal } = this.#session
    const lane = async (): Promise<void> => {
      while (!signal.aborted) {
        const next = deletes.next()
        if (next.done === true) return
        await this.#delete(...next.value)
      }
    }
    await Promise.all(Array.from({ length: GARBAGE_DELETES_IN_FLIGHT_MAX }, lane))
    signal.throwIfAborted()
  }

  /** Never rejects. */
  async #delete(task: Taken, { node, group, blob, named }: Delete): Promise<void> {
    const { shards, clock, log } = this.#context
    if (!this.#nodes.suspicion.admits(node, 'write')) {
      if (named) task.left.add(node)
      return
    }
    const giveUp = new AbortController()
    let cancel = (): void => undefined
    try {
      await this.#nodes.budget.take(1, this.#session.signal)
      cancel = clock.after(SHARD_DELETE_TIMEOUT_MS, () => {
        giveUp.abort(new Error('a delete took too long'))
      })
      await shards.node(node).deleteBlob(group, blob, giveUp.signal)
      this.#nodes.suspicion.succeeded(node, 'write')
    } catch (error) {
      if (named) task.left.add(node)
      if (this.#session.signal.aborted) return
      if (named) task.failed = true
      this.#nodes.suspicion.failed(node, 'write')
      log.debug('garbage stays on a node for now', { node, blob, error })
    } finally {
      cancel()
    }
  }
}
