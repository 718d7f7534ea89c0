import type { Message } from '@bufbuild/protobuf'
import { SPACE } from '../../core/keyspace/keys.ts'
import {
  annotationKind,
  bucketKind,
  clusterMapKind,
  decodeRecord,
  manifestKind,
  objectKind,
  outboxKind,
  partKind,
  settingKind,
  uploadKind,
  type RecordKind,
} from '../records.ts'

/**
 * What a backup holds, by space (core/keyspace/keys.ts), and what a restore makes of it. A backup has every key; a space that is not
 * here was made by a newer program, and is refused.
 *
 * A restore makes of any number of engines and partitions one engine with one partition (id 1, everything), which is what a
 * cluster begins with. So what says who owns or keeps what is left out, and what is numbered by partition is numbered anew.
 */
export interface SpaceRow {
  /** For people, in the plural. */
  readonly name: string
  /**
   * `restored`: as it is. `left out`: it belongs to processes or engines that are gone. `rewritten`: {@link Rewriter} says how.
   */
  readonly treatment: 'restored' | 'left out' | 'rewritten'
  /** Reads a value. @throws if it is none of its kind */
  readonly decode?: (value: Uint8Array) => unknown
}

const rows: readonly (readonly [number, SpaceRow])[] = [
  // Written at the end of a restore; the record of restores goes on from the one in the backup.
  [SPACE.format, { name: 'format', treatment: 'rewritten' }],
  [SPACE.lease, { name: 'leases of partitions', treatment: 'left out' }],
  // Its epoch goes ahead of any that nodes may have seen.
  [SPACE.clusterMap, row('cluster maps', 'rewritten', clusterMapKind)],
  // Numbers go ahead of any that may have been given.
  [SPACE.outboxReserve, { name: 'outbox reserves', treatment: 'rewritten' }],
  [SPACE.orderReserve, { name: 'order reserves', treatment: 'rewritten' }],
  [SPACE.partitionMap, { name: 'partition maps', treatment: 'left out' }],
  [SPACE.member, { name: 'metadata nodes', treatment: 'left out' }],
  // An engine keeps its own.
  [SPACE.engineId, { name: 'engine ids', treatment: 'left out' }],
  // Of the engine that they came from.
  [SPACE.journal, { name: 'records of the journal', treatment: 'left out' }],
  [SPACE.bucket, row('buckets', 'restored', bucketKind)],
  [SPACE.ownedBucket, { name: 'buckets by owner', treatment: 'restored' }],
  [SPACE.bucketSetting, row('bucket settings', 'restored', settingKind)],
  [SPACE.object, row('objects', 'restored', objectKind)],
  [SPACE.manifest, row('manifest pages', 'restored', manifestKind)],
  [SPACE.upload, row('uploads', 'restored', uploadKind)],
  [SPACE.part, row('parts of uploads', 'restored', partKind)],
  // By partition, too.
  [SPACE.bucketPurge, { name: 'bucket purges', treatment: 'rewritten' }],
  [SPACE.uploadPurge, { name: 'upload purges', treatment: 'restored' }],
  [SPACE.version, row('older versions and delete markers', 'restored', objectKind)],
  [SPACE.nullVersion, { name: 'pointers to null versions', treatment: 'restored' }],
  [SPACE.annotation, row('annotations', 'restored', annotationKind)],
  [SPACE.annotationPurge, { name: 'annotation purges', treatment: 'restored' }],
  [SPACE.outbox, row('garbage tasks', 'rewritten', outboxKind)],
  [SPACE.repairOutbox, row('repair tasks', 'rewritten', outboxKind)],
]

export const spaceTable: ReadonlyMap<number, SpaceRow> = new Map(rows)

export function unknownSpace(space: number): string {
  return `keys of space ${space.toString(16).padStart(2, '0')} are unknown to this program`
}

function row<T extends Message & { format: number }>(
  name: string,
  treatment: SpaceRow['treatment'],
  kind: RecordKind<T>,
): SpaceRow {
  return { name, treatment, decode: (value) => decodeRecord(kind, value) }
}
