import { Buffer } from 'node:buffer'
import { compareBytes, KeyReader } from '../../core/keyspace/bytes.ts'
import {
  bucketKey,
  bucketSettingKey,
  outboxKey,
  readBucketPurgeKey,
  readOutboxKey,
  readOwnedBucketKey,
  SPACE,
} from '../../core/keyspace/keys.ts'
import { decodeUtf8 } from '../../core/keyspace/utf8.ts'
import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { BucketSettingSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import { spaceTable, unknownSpace } from '../backup/spaces.ts'
import type { EngineEntry } from '../engine/engine.ts'
import { bucketKind, decodeRecord, outboxKind, partitionMapKind, settingKind } from '../records.ts'
import type { Faults } from './faults.ts'
import { GarbageIndex } from './garbage-index.ts'
import { faultOfMap, Layout } from './layout.ts'

/** The records that are of no key of a bucket, but the cluster's, or wait to be worked off: what each says by itself, then how they fit each other, and what others are held against. */
export class ClusterRecords {
  readonly garbage = new GarbageIndex()
  readonly #engines: readonly string[]
  readonly #faults: Faults
  /** Owners by name. */
  readonly #buckets = new Map<string, string>()
  readonly #owned: { readonly owner: string; readonly name: string }[] = []
  readonly #settings = new Set<string>()
  /** Buckets that are gone, of which uploads are to be aborted. */
  readonly #purges: { readonly engine: number; readonly bucket: string; readonly partition: number }[] = []
  /** By engine and partition. */
  readonly #reserves = { outbox: new Map<string, number>(), order: new Map<string, number>() }
  /** The highest sequence of the tasks in each outbox, by engine and partition. */
  readonly #tasks = new Map<string, { readonly engine: number; readonly outbox: number; last: number }>()
  #map: PartitionMap | undefined
  #mapUnknown = false

  constructor(engines: readonly string[], faults: Faults) {
    this.#engines = engines
    this.#faults = faults
  }

  add(engine: number, space: number, entries: readonly EngineEntry[]): void {
    for (const entry of entries) {
      const what = () => `${spaceTable.get(space)?.name ?? unknownSpace(space)}, key ${hex(entry.key)}`
      const read = this.#faults.try(what, {}, () => {
        this.#record(engine, space, entry)
        return true
      })
      if (read === undefined && space === SPACE.partitionMap) this.#mapUnknown = true
    }
  }

  has(bucket: string): boolean {
    return this.#buckets.has(bucket)
  }

  /** Whether uploads of a bucket that is gone are to be aborted. */
  isPurged(bucket: string): boolean {
    return this.#purges.some((one) => one.bucket === bucket)
  }

  /** The first order that versions of a partition do not have yet; 0 where nothing says so. */
  orderReserve(engine: number, partition: number): number {
    return this.#reserves.order.get(nameOf(engine, partition)) ?? 0
  }

  /** Undefined: the partition map does not say. */
  layout(): Layout | undefined {
    if (this.#mapUnknown) return undefined
    if (this.#map !== undefined && faultOfMap(this.#map) !== undefined) return undefined
    return new Layout(this.#map, this.#engines)
  }

  /** When all are added. */
  end(): void {
    const fault = this.#map === undefined ? undefined : faultOfMap(this.#map)
    if (fault !== undefined) this.#faults.add('partition-map', `the partition map is wrong: ${fault}`)
    this.#endOfBuckets()
    const layout = this.layout()
    if (layout !== undefined) this.#endOfOutboxes(layout)
  }

  #endOfBuckets(): void {
    const owners = Map.groupBy(this.#owned, ({ name }) => name)
    for (const [name, owner] of this.#buckets) {
      const all = owners.get(name) ?? []
      const place = { bucket: name }
      if (!all.some((one) => one.owner === owner)) {
        this.#faults.add('owner-index', `it is not among the buckets of its owner ${owner}`, place)
      }
      for (const one of all) {
        if (one.owner === owner) continue
        this.#faults.add('owner-index', `it is of ${owner}, and among the buckets of ${one.owner}`, place)
      }
    }
    for (const { owner, name } of this.#owned) {
      if (this.has(name)) continue
      this.#faults.add('owner-index', `${owner} should own it, and it is not there`, { bucket: name })
    }
    for (const bucket of this.#settings) {
      if (this.has(bucket)) continue
      this.#faults.add('no-bucket', 'there are settings of it, and it is not there', { bucket })
    }
  }

  #endOfOutboxes(layout: Layout): void {
    for (const [name, { engine, outbox, last }] of this.#tasks) {
      const standing = layout.outboxStanding(engine, outbox)
      if (standing === 'left over') continue
      if (standing === 'stray') {
        const detail = `tasks wait in its outbox, which no partition has${this.#on(engine)}`
        this.#faults.add('outbox', detail, { partition: outbox })
        continue
      }
      const reserve = this.#reserves.outbox.get(name) ?? 0
      if (last < reserve) continue
      const detail = `a task has the number ${last}, and those from ${reserve} on may be given again`
      this.#faults.add('sequence', `${detail}${this.#on(engine)}`, { partition: outbox })
    }
    for (const { engine, bucket, partition } of this.#purges) {
      if (layout.outboxStanding(engine, partition) !== 'stray') continue
      const detail = `its uploads are to be aborted by partition ${partition}, which no partition has become`
      this.#faults.add('purge', `${detail}${this.#on(engine)}`, { bucket })
    }
  }

  #on(engine: number): string {
    return this.#engines.length === 1 ? '' : `, on engine ${this.#engines[engine] ?? engine}`
  }

  #record(engine: number, space: number, entry: EngineEntry): void {
    const { key, value } = entry
    switch (space) {
      case SPACE.bucket:
        this.#bucket(entry)
        break
      case SPACE.ownedBucket:
        this.#owned.push(readOwnedBucketKey(key))
        break
      case SPACE.bucketSetting:
        this.#setting(entry)
        break
      case SPACE.bucketPurge:
        this.#purges.push({ engine, ...readBucketPurgeKey(key) })
        break
      case SPACE.partitionMap:
        // On another engine than the first it is nobody's.
        if (engine === 0) this.#map = decodeRecord(partitionMapKind, value)
        break
      case SPACE.outboxReserve:
        this.#reserves.outbox.set(nameOf(engine, new KeyReader(key).number(8)), reserveOf(value))
        break
      case SPACE.orderReserve:
        this.#reserves.order.set(nameOf(engine, new KeyReader(key).number(8)), reserveOf(value))
        break
      case SPACE.outbox:
      case SPACE.repairOutbox:
        this.#task(engine, entry)
        break
      default:
        spaceTable.get(space)?.decode?.(value)
    }
  }

  #bucket({ key, value }: EngineEntry): void {
    const { name, owner } = decodeRecord(bucketKind, value)
    this.#buckets.set(name, owner)
    if (compareBytes(key, bucketKey(name)) === 0) return
    this.#faults.add('record', 'its record lies in the place of another', { bucket: name })
  }

  #setting({ key, value }: EngineEntry): void {
    const bucket = decodeUtf8(new KeyReader(key).text())
    this.#settings.add(bucket)
    const { setting } = decodeRecord(settingKind, value)
    const field = BucketSettingSchema.fields.find(({ localName }) => localName === setting.case)
    // Undefined: of a newer program.
    if (field === undefined || compareBytes(key, bucketSettingKey(bucket, field.number)) === 0) return
    this.#faults.add('record', `its ${field.localName} lies in the place of another setting`, { bucket })
  }

  #task(engine: number, { key, value }: EngineEntry): void {
    const record = decodeRecord(outboxKind, value)
    this.garbage.add(record)
    const { partition, sequence } = readOutboxKey(key)
    const { case: kind } = record.task
    // Earlier programs had repairs among the garbage.
    const inPlace = kind === 'repair' || kind === undefined || key[0] === outboxKey(0, kind, 0)[0]
    if (Number(record.sequence) !== sequence || !inPlace) {
      const detail = `the task ${record.sequence} lies in the place of task ${sequence}`
      this.#faults.add('outbox', `${detail}${this.#on(engine)}`, { partition })
    }
    const name = nameOf(engine, partition)
    const known = this.#tasks.get(name)
    if (known === undefined) this.#tasks.set(name, { engine, outbox: partition, last: sequence })
    else known.last = Math.max(known.last, sequence)
  }
}

function nameOf(engine: number, partition: number): string {
  return `${engine}/${partition}`
}

/** What Sequence keeps (metadata/partition/sequence.ts). */
function reserveOf(value: Uint8Array): number {
  return new KeyReader(value).number(8)
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}
