import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { outboxKey, outboxReserveKey, type OutboxTaskKind } from '../../core/keyspace/keys.ts'
import { OUTBOX_SEQUENCES_RESERVED } from '../../core/limits.ts'
import { type OutboxRecord, OutboxRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Engine, EngineEntry } from '../engine/engine.ts'
import { encodeRecord, outboxKind } from '../records.ts'
import { PendingRepairs } from './pending-repairs.ts'
import { Sequence } from './sequence.ts'

export type OutboxTask = NonNullable<MessageInitShape<typeof OutboxRecordSchema>['task']>

/** Durable tasks that are not acknowledged yet. */
export type Backlog = Record<OutboxTaskKind, number>

export interface OutboxParts {
  readonly engine: Engine
  readonly partition: number
  readonly clock: Clock
}

/**
 * What follows from a partition's commits, in their order: its sequences only grow, across restarts and kinds of tasks. Each
 * kind lies in a space of its own.
 */
export class Outbox {
  readonly #partition: number
  readonly #clock: Clock
  readonly #backlog: Backlog = { garbage: 0, repair: 0 }
  #counted = false
  readonly sequence: Sequence
  readonly repairs = new PendingRepairs()

  private constructor(partition: number, clock: Clock, sequence: Sequence) {
    this.#partition = partition
    this.#clock = clock
    this.sequence = sequence
  }

  /** Reads where the sequences stand. What is waiting is counted by {@link countOutboxes}. */
  static async open({ engine, partition, clock }: OutboxParts): Promise<Outbox> {
    const sequence = await Sequence.open(engine, outboxReserveKey(partition), OUTBOX_SEQUENCES_RESERVED)
    return new Outbox(partition, clock, sequence)
  }

  /** What waited at this moment is told by {@link found}; what becomes durable after it, as ever, by {@link count}. */
  beginCount(): void {
    this.#backlog.garbage = 0
    this.#backlog.repair = 0
    this.#counted = false
    this.repairs.beginReading()
  }

  /** A task that waited when the count was begun. */
  found(task: OutboxRecord['task']['case'], repairOf: string | undefined): void {
    if (task === undefined) return
    this.#backlog[task]++
    if (repairOf !== undefined) this.repairs.found(repairOf)
  }

  endCount(): void {
    this.#counted = true
    this.repairs.endReading()
  }

  /** Whether {@link backlog} is all of it. */
  get counted(): boolean {
    return this.#counted
  }

  /** Counts what waits in another outbox as well, which nobody writes to any more. Both are counted. */
  adopt({ backlog, repairs }: Outbox): void {
    this.#backlog.garbage += backlog.garbage
    this.#backlog.repair += backlog.repair
    this.repairs.addAll(repairs)
  }

  /** Less than waits, while it is being counted. */
  get backlog(): Readonly<Backlog> {
    const { garbage, repair } = this.#backlog
    return { garbage: Math.max(0, garbage), repair: Math.max(0, repair) }
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
}
