import type { Message } from '@bufbuild/protobuf'
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

/** What is numbered in the rows below. */
export const SPACES = {
  format: 0x01,
  lease: 0x02,
  clusterMap: 0x03,
  outboxReserve: 0x04,
  orderReserve: 0x05,
  partitionMap: 0x06,
  membership: 0x07,
  engineId: 0x08,
  bucket: 0x10,
  ownedBucket: 0x11,
  setting: 0x12,
  object: 0x20,
  manifest: 0x21,
  upload: 0x22,
  part: 0x23,
  bucketPurge: 0x24,
  uploadPurge: 0x25,
  version: 0x26,
  nullVersion: 0x27,
  annotation: 0x28,
  annotationPurge: 0x29,
  garbage: 0x30,
  repair: 0x31,
} as const

const rows: readonly (readonly [number, SpaceRow])[] = [
  // Written at the end of a restore; the record of restores goes on from the one in the backup.
  [SPACES.format, { name: 'format', treatment: 'rewritten' }],
  [SPACES.lease, { name: 'leases of partitions', treatment: 'left out' }],
  // Its epoch goes ahead of any that nodes may have seen.
  [SPACES.clusterMap, row('cluster maps', 'rewritten', clusterMapKind)],
  // Numbers go ahead of any that may have been given.
  [SPACES.outboxReserve, { name: 'outbox reserves', treatment: 'rewritten' }],
  [SPACES.orderReserve, { name: 'order reserves', treatment: 'rewritten' }],
  [SPACES.partitionMap, { name: 'partition maps', treatment: 'left out' }],
  [SPACES.membership, { name: 'metadata nodes', treatment: 'left out' }],
  // An engine keeps its own.
  [SPACES.engineId, { name: 'engine ids', treatment: 'left out' }],
  [SPACES.bucket, row('buckets', 'restored', bucketKind)],
  [SPACES.ownedBucket, { name: 'buckets by owner', treatment: 'restored' }],
  [SPACES.setting, row('bucket settings', 'restored', settingKind)],
  [SPACES.object, row('objects', 'restored', objectKind)],
  [SPACES.manifest, row('manifest pages', 'restored', manifestKind)],
  [SPACES.upload, row('uploads', 'restored', uploadKind)],
  [SPACES.part, row('parts of uploads', 'restored', partKind)],
  // By partition, too.
  [SPACES.bucketPurge, { name: 'bucket purges', treatment: 'rewritten' }],
  [SPACES.uploadPurge, { name: 'upload purges', treatment: 'restored' }],
  [SPACES.version, row('older versions and delete markers', 'restored', objectKind)],
  [SPACES.nullVersion, { name: 'pointers to null versions', treatment: 'restored' }],
  [SPACES.annotation, row('annotations', 'restored', annotationKind)],
  [SPACES.annotationPurge, { name: 'annotation purges', treatment: 'restored' }],
  [SPACES.garbage, row('garbage tasks', 'rewritten', outboxKind)],
  [SPACES.repair, row('repair tasks', 'rewritten', outboxKind)],
]

export const spaceTable: ReadonlyMap<number, SpaceRow> = new Map(rows)

function row<T extends Message & { format: number }>(
  name: string,
  treatment: SpaceRow['treatment'],
  kind: RecordKind<T>,
): SpaceRow {
  return { name, treatment, decode: (value) => decodeRecord(kind, value) }
}
