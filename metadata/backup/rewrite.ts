import { create } from '@bufbuild/protobuf'
import { compareBytes, KeyReader, KeyWriter } from '../../core/keyspace/bytes.ts'
import {
  bucketPurgeKey,
  clusterMapKey,
  orderReserveKey,
  outboxKey,
  outboxReserveKey,
  type OutboxTaskKind,
  readBucketPurgeKey,
  readOutboxKey,
  restoredKey,
  SPACE,
} from '../../core/keyspace/keys.ts'
import { WHOLE_RANGE } from '../../core/keyspace/partitions.ts'
import { RECORD_FORMAT, RESTORE_EPOCH_STEP, RESTORE_SEQUENCE_STEP } from '../../core/limits.ts'
import {
  OutboxRecordSchema,
  RestoreRecordSchema,
  type RestoreSpan,
} from '../../proto/gen/ashlar/v1/records_pb.js'
import type { EngineEntry } from '../engine/engine.ts'
import { clusterMapKind, decodeRecord, encodeRecord, outboxKind, restoreKind } from '../records.ts'
import { formatStamp } from '../cluster/format.ts'
import { BackupDamagedError } from './format/frame.ts'
import { spaceTable, unknownSpace } from './spaces.ts'

/** The one partition of what was restored. */
const PARTITION = WHOLE_RANGE.id

/**
 * What a restore writes in the place of each entry of a backup (the table in spaces.ts), and at its end.
 *
 * Numbers that were given between the backup and the loss are not in the backup. An order that is given again would name two
 * versions of one key by one place, and the version ids that clients hold, which carry it, would lead to another version than
 * theirs; so orders, sequences and the epoch of the cluster map go on from far beyond what may have been given.
 */
export class Rewriter {
  #outboxSequence = 0
  #orderMax = 0
  #outboxMax = 0
  #spans: readonly RestoreSpan[] = []

  /** Undefined for what is left out, or only written at the end. @throws {BackupDamagedError} */
  entry(given: EngineEntry): EngineEntry | undefined {
    const space = given.key[0] ?? 0
    const row = spaceTable.get(space)
    if (row === undefined) throw new BackupDamagedError(unknownSpace(space))
    if (row.treatment === 'restored') return given
    if (row.treatment === 'left out') return undefined
    switch (space) {
      case SPACE.clusterMap:
        return mapAhead(given)
      case SPACE.outbox:
        return this.#task('garbage', given)
      case SPACE.repairOutbox:
        return this.#task('repair', given)
      case SPACE.bucketPurge:
        return { key: bucketPurgeKey(readBucketPurgeKey(given.key).bucket, PARTITION), value: given.value }
      case SPACE.orderReserve:
        this.#orderMax = Math.max(this.#orderMax, new KeyReader(given.value).number(8))
        return undefined
      case SPACE.outboxReserve:
        this.#outboxMax = Math.max(this.#outboxMax, new KeyReader(given.value).number(8))
        return undefined
      default:
        if (compareBytes(given.key, restoredKey) === 0) {
          this.#spans = decodeRecord(restoreKind, given.value).spans
        }
        return undefined
    }
  }

  /** Whether a key is one that this has written for a task. */
  isOwnTask(key: Uint8Array): boolean {
    const { partition, sequence } = readOutboxKey(key)
    return partition === PARTITION && sequence > this.#outboxMax
  }

  /** What makes it an engine that a service starts on. @param span what is lost, in addition to what a backup says was before */
  end(span: RestoreSpan): EngineEntry[] {
    const restored = create(RestoreRecordSchema, { spans: [...this.#spans, span] })
    const outbox = this.#outboxMax + this.#outboxSequence + RESTORE_SEQUENCE_STEP
    return [
      formatStamp(RECORD_FORMAT),
      { key: restoredKey, value: encodeRecord(restoreKind, restored) },
      reserve(orderReserveKey(PARTITION), this.#orderMax + RESTORE_SEQUENCE_STEP),
      reserve(outboxReserveKey(PARTITION), outbox),
    ]
  }

  /** Partitions number their tasks each for themselves; here they follow each other. */
  #task(kind: OutboxTaskKind, { value }: EngineEntry): EngineEntry {
    const { $typeName: _, ...fields } = decodeRecord(outboxKind, value)
    // Beyond all that is there, so that none is in the place of another, wherever this is written.
    const sequence = this.#outboxMax + ++this.#outboxSequence
    const record = create(OutboxRecordSchema, { ...fields, sequence: BigInt(sequence) })
    return { key: outboxKey(PARTITION, kind, sequence), value: encodeRecord(outboxKind, record) }
  }
}

/** Storage nodes refuse whoever goes by an older map than they have heard of. */
function mapAhead({ value }: EngineEntry): EngineEntry {
  const map = decodeRecord(clusterMapKind, value)
  map.epoch += BigInt(RESTORE_EPOCH_STEP)
  return { key: clusterMapKey, value: encodeRecord(clusterMapKind, map) }
}

/** As Sequence writes it: the first byte is the value's own format. */
export function reserve(key: Uint8Array, number: number): EngineEntry {
  return { key, value: new KeyWriter(1).number(number, 8).bytes() }
}
