import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { next } from '../../core/keyspace/bytes.ts'
import {
  outboxKey,
  outboxRange,
  outboxReserveKey,
  type OutboxTaskKind,
  readOutboxKey,
} from '../../core/keyspace/keys.ts'
import {
  ENGINE_BATCH_OPERATIONS_MIN,
  GARBAGE_GRACE_MS,
  OUTBOX_SCAN_RECORDS,
  OUTBOX_SEQUENCES_RESERVED,
} from '../../core/limits.ts'
import { type OutboxRecord, OutboxRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Engine, EngineEntry, Fence } from '../engine/engine.ts'
import { decodeRecord, encodeRecord, outboxHeadOf, outboxKind } from '../records.ts'
import { PendingRepairs } from './pending-repairs.ts'
import { Sequence } from './sequence.ts'

export type OutboxTask = NonNullable<MessageInitShape<typeof OutboxRecordSchema>['task']>

/** Durable tasks that are not acknowledged yet. */
export type Backlog = Record<OutboxTaskKind, number>

export interface OutboxParts {
  readonly engine: Engine
  /** The partition's own. */
  readonly fence: Fence
  readonly partition: number
  /** Outboxes of partitions that were merged into this one, whose tasks are not all done. */
  readonly adopted: readonly number[]
  readonly clock: Clock
  /** Called with each task that became garbage less than the grace ago, when the outbox is opened. */
  readonly recentGarbage: (task: OutboxRecord['task']) => void
}

/**
 * What follows from a partition's commits, in their order: its sequences only grow, across restarts and kinds of tasks. Each
 * kind lies in a space of its own.
 */
export class Outbox {
  readonly #partition: number
  readonly #clock: Clock
  readonly #backlog: Backlog = { garbage: 0, repair: 0 }
  readonly sequence: Sequence
  readonly repairs = new PendingRepairs()

  private constructor(partition: number, clock: Clock, sequence: Sequence) {
    this.#partition = partition
    this.#clock = clock
    this.sequence = sequence
  }

  /** Reads where the sequences stand, and what is waiting. */
  static async open(parts: OutboxParts): Promise<Outbox> {
    const { engine, partition, clock, adopted } = parts
    const sequence = await Sequence.open(engine, outboxReserveKey(partition), OUTBOX_SEQUENCES_RESERVED)
    const outbox = new Outbox(partition, clock, sequence)
    await moveRepairs(parts)
    for (const each of [partition, ...adopted]) {
      for (const kind of ['garbage', 'repair'] as const) await outbox.#count(parts, each, kind)
    }
    return outbox
  }

  /** Counts what waits in another outbox as well, which nobody writes to any more. */
  adopt({ backlog, repairs }: Outbox): void {
    this.#backlog.garbage += backlog.garbage
    this.#backlog.repair += backlog.repair
    this.repairs.addAll(repairs)
  }

  get backlog(): Readonly<Backlog> {
    return this.#backlog
  }

  /** The puts that queue these tasks, to go into the batch of the change they follow from, with what {@link sequence} reserves. */
  append(tasks: readonly OutboxTask[]): EngineEntry[] {
    return tasks.flatMap((task) => {
      if (task.case === undefined) return []
      const sequence = this.sequence.take()
      const record = create(OutboxRecordSchema, {
        sequence: BigInt(sequence),
        createdMs: BigInt(this.#clock.nowMs()),
        task,
      })
      if (task.case === 'repair') this.repairs.add(task.value.blob?.id ?? '')
      return { key: outboxKey(this.#partition, task.case, sequence), value: encodeRecord(outboxKind, record) }
    })
  }

  /** Counts tasks that became durable (`by` 1) or whose removal did (`by` -1). */
  count(tasks: Iterable<OutboxTaskKind | undefined>, by: 1 | -1): void {
    for (const task of tasks) if (task !== undefined) this.#backlog[task] += by
  }

  async #count(
    { engine, clock, recentGarbage }: OutboxParts,
    partition: number,
    kind: OutboxTaskKind,
  ): Promise<void> {
    const recentMs = clock.nowMs() - GARBAGE_GRACE_MS
    for await (const entries of chunks(engine, partition, kind)) {
      this.#backlog[kind] += entries.length
      for (const { value } of entries) {
        if (kind === 'garbage' && outboxHeadOf(value).createdMs < recentMs) continue
        const { task } = decodeRecord(outboxKind, value)
        if (task.case === 'repair') this.repairs.add(task.value.blob?.id ?? '')
        else recentGarbage(task)
      }
    }
  }
}

/** All tasks of a kind, some at a time. */
async function* chunks(
  engine: Engine,
  partition: number,
  kind: OutboxTaskKind,
): AsyncGenerator<readonly EngineEntry[]> {
  const { gte, lt } = outboxRange(partition, kind)
  let cursor = gte
  for (;;) {
    const entries = await engine.scan({ gte: cursor, lt, limit: OUTBOX_SCAN_RECORDS })
    yield entries
    const last = entries.at(-1)
    if (last === undefined || entries.length < OUTBOX_SCAN_RECORDS) return
    cursor = next(last.key)
  }
}

/** Moves repairs to where they belong from among the garbage, where earlier programs put them. */
async function moveRepairs({ engine, fence, partition }: OutboxParts): Promise<void> {
  let found: EngineEntry[] = []
  const move = async (): Promise<void> => {
    const puts = found.map(({ key, value }) => {
      return { key: outboxKey(partition, 'repair', readOutboxKey(key).sequence), value }
    })
    await engine.commit({ fence, puts, deletes: found.map(({ key }) => key) })
    found = []
  }
  for await (const entries of chunks(engine, partition, 'garbage')) {
    found.push(...entries.filter(({ value }) => outboxHeadOf(value).task === 'repair'))
    if ((found.length + OUTBOX_SCAN_RECORDS) * 2 > ENGINE_BATCH_OPERATIONS_MIN) await move()
  }
  if (found.length > 0) await move()
}
