import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { next } from '../../core/keyspace/bytes.ts'
import { outboxKey, outboxRange, outboxReserveKey } from '../../core/keyspace/keys.ts'
import { ENGINE_SCAN_ENTRIES_MAX, OUTBOX_SEQUENCES_RESERVED } from '../../core/limits.ts'
import { OutboxRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Engine, EngineEntry } from '../engine/engine.ts'
import { Sequence } from './sequence.ts'
import { encodeRecord, outboxKind, outboxTaskOf } from '../records.ts'

export type OutboxTask = NonNullable<MessageInitShape<typeof OutboxRecordSchema>['task']>

/** Durable tasks that are not acknowledged yet. */
export interface Backlog {
  garbage: number
  repair: number
}

/** What follows from a partition's commits, in their order: its sequences only grow, across restarts too. */
export class Outbox {
  readonly #partition: number
  readonly #clock: Clock
  readonly #backlog: Backlog
  readonly sequence: Sequence

  private constructor(partition: number, clock: Clock, sequence: Sequence, backlog: Backlog) {
    this.#partition = partition
    this.#clock = clock
    this.sequence = sequence
    this.#backlog = backlog
  }

  /** Reads where the sequences stand, and counts the backlog. */
  static async open(engine: Engine, partition: number, clock: Clock): Promise<Outbox> {
    const sequence = await Sequence.open(engine, outboxReserveKey(partition), OUTBOX_SEQUENCES_RESERVED)
    return new Outbox(partition, clock, sequence, await countBacklog(engine, partition))
  }

  get backlog(): Readonly<Backlog> {
    return this.#backlog
  }

  /** The puts that queue these tasks, to go into the batch of the change they follow from, with what {@link sequence} reserves. */
  append(tasks: readonly OutboxTask[]): EngineEntry[] {
    return tasks.map((task) => {
      const sequence = this.sequence.take()
      const record = create(OutboxRecordSchema, {
        sequence: BigInt(sequence),
        createdMs: BigInt(this.#clock.nowMs()),
        task,
      })
      return { key: outboxKey(this.#partition, sequence), value: encodeRecord(outboxKind, record) }
    })
  }

  /** Counts tasks that became durable (`by` 1) or whose removal did (`by` -1). */
  count(tasks: Iterable<'garbage' | 'repair' | undefined>, by: 1 | -1): void {
    for (const task of tasks) if (task !== undefined) this.#backlog[task] += by
  }
}

async function countBacklog(engine: Engine, partition: number): Promise<Backlog> {
  const backlog: Backlog = { garbage: 0, repair: 0 }
  const { gte, lt } = outboxRange(partition)
  let cursor = gte
  for (;;) {
    const entries = await engine.scan({ gte: cursor, lt, limit: ENGINE_SCAN_ENTRIES_MAX })
    for (const { value } of entries) {
      const task = outboxTaskOf(value)
      if (task !== undefined) backlog[task]++
    }
    const last = entries.at(-1)
    if (last === undefined || entries.length < ENGINE_SCAN_ENTRIES_MAX) return backlog
    cursor = next(last.key)
  }
}
