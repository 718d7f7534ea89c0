import { type KeyRange, successor } from '../../core/keyspace/bytes.ts'
import { SPACE, spacesAt } from '../../core/keyspace/keys.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import { decodeUtf8 } from '../../core/keyspace/utf8.ts'
import type { EngineEntry } from '../engine/engine.ts'
import type { ClusterRecords } from './cluster-records.ts'
import { comparePosition, type EntryPosition, SpaceCursor } from './cursor.ts'
import type { Faults } from './faults.ts'
import { KeyCheck } from './key-check.ts'
import type { Layout } from './layout.ts'
import type { RecordSource } from './source.ts'
import { UploadCheck } from './upload-check.ts'

interface Checks {
  readonly versions: KeyCheck
  readonly uploads: UploadCheck
}

/** In the order in which {@link KeyCheck} and {@link UploadCheck} take them. */
const checks: readonly (readonly [number, (check: Checks, entry: EngineEntry) => void])[] = [
  [SPACE.object, ({ versions }, entry) => versions.object(entry)],
  [SPACE.version, ({ versions }, entry) => versions.version(entry)],
  [SPACE.nullVersion, ({ versions }, entry) => versions.nullPointer(entry)],
  [SPACE.manifest, ({ versions }, entry) => versions.page(entry)],
  [SPACE.annotation, ({ versions }, entry) => versions.annotation(entry)],
  [SPACE.annotationPurge, ({ versions }, entry) => versions.annotationPurge(entry)],
  [SPACE.upload, ({ uploads }, entry) => uploads.upload(entry)],
  [SPACE.uploadPurge, ({ uploads }, entry) => uploads.purge(entry)],
  [SPACE.part, ({ uploads }, entry) => uploads.part(entry)],
]

/** The spaces that {@link KeyWalk} reads. */
export const keySpaces: ReadonlySet<number> = new Set(checks.map(([space]) => space))

/** Told of each key before it is checked, which waits for it. */
type Reached = (engine: number, position: Position) => Promise<void> | undefined

/** Which keys are gone over: of one bucket, from one on, those that begin so or the one that is so. */
export interface KeyScope {
  readonly bucket?: string
  readonly prefix?: string
  /** Instead of a prefix. */
  readonly key?: string
  /** Where to begin; by default with the first. */
  readonly from?: Position
}

/**
 * Goes over keys of buckets, through the spaces side by side: each is in order of (bucket, key). Holds a page a space, and of each
 * key what its versions say of other records.
 */
export class KeyWalk {
  readonly #source: RecordSource
  readonly #cluster: ClusterRecords
  readonly #layout: Layout | undefined
  readonly #faults: Faults
  /** Buckets that are not there, of which that was said. */
  readonly #lost = new Set<string>()
  /** Partitions of which it was said that their orders may be given again. */
  readonly #orders = new Set<number>()
  readonly #reached: Reached

  constructor(
    source: RecordSource,
    cluster: ClusterRecords,
    faults: Faults,
    reached: Reached = () => undefined,
  ) {
    this.#source = source
    this.#cluster = cluster
    this.#layout = cluster.layout()
    this.#faults = faults
    this.#reached = reached
  }

  /** @throws what the source throws */
  async engine(engine: number, scope: KeyScope = {}): Promise<void> {
    const ranges = rangesOf(scope)
    const cursors = await Promise.all(
      checks.map(async ([space, give]) => ({
        give,
        cursor: await SpaceCursor.open(this.#source.pages(engine, space, ranges.get(space))),
      })),
    )
    try {
      for (;;) {
        const position = first(cursors.map(({ cursor }) => cursor.position))
        if (position === undefined) return
        const at = { bucket: decodeUtf8(position.bucket), key: decodeUtf8(position.key) }
        // In the order of keys, one that begins with another and a NUL is found among what belongs to that.
        if (scope.key !== undefined && at.key !== scope.key) return
        const settled = this.#reached(engine, at)
        if (settled !== undefined) await settled
        const place = { bucket: at.bucket, key: at.key }
        // Where nothing is to be said of it, it is gone past all the same.
        const standing = this.#layout?.standing(engine, at) ?? 'here'
        const check = {
          versions: new KeyCheck(at.bucket, at.key, this.#faults, this.#cluster.garbage),
          uploads: new UploadCheck(at.bucket, at.key, this.#faults, this.#cluster.garbage),
        }
        for (const { give, cursor } of cursors) {
          for (;;) {
            const { entry } = cursor
            if (entry === undefined || cursor.position === undefined) break
            if (comparePosition(cursor.position, position) !== 0) break
            if (standing === 'here') {
              this.#faults.try(
                () => 'a record of it',
                place,
                () => {
                  give(check, entry)
                },
              )
            }
            const wait = cursor.step()
            if (wait !== undefined) await wait
          }
        }
        if (standing === 'stray') this.#stray(engine, at)
        if (standing !== 'here') continue
        check.versions.end()
        check.uploads.end()
        this.#ends(engine, at, check)
      }
    } finally {
      for (const { cursor } of cursors) await cursor.close()
    }
  }

  #ends(engine: number, { bucket, key }: Position, { versions, uploads }: Checks): void {
    if (!this.#cluster.has(bucket) && !this.#lost.has(bucket)) {
      if (versions.any) this.#noBucket({ bucket, key }, 'an object')
      else if (uploads.any && !this.#cluster.isPurged(bucket)) this.#noBucket({ bucket, key }, 'an upload')
    }
    const partition = this.#layout?.at({ bucket, key })
    if (partition === undefined || versions.orderMax === 0n || this.#orders.has(partition.id)) return
    const reserve = this.#cluster.orderReserve(engine, partition.id)
    if (versions.orderMax < BigInt(reserve)) return
    this.#orders.add(partition.id)
    const detail = `a version has the order ${versions.orderMax}, and partition ${partition.id} may give those from ${reserve} on again`
    this.#faults.add('sequence', detail, { bucket, key })
  }

  #noBucket(place: Position, what: string): void {
    this.#lost.add(place.bucket)
    this.#faults.add('no-bucket', `it is ${what} of a bucket that is not there, maybe one of many`, place)
  }

  #stray(engine: number, { bucket, key }: Position): void {
    const detail = `records of it lie on engine ${this.#source.engines[engine] ?? engine}, where its partition does not lie`
    this.#faults.add('stray-record', detail, { bucket, key })
  }
}

/** By space. */
function rangesOf({ bucket, prefix = '', key, from }: KeyScope): Map<number | undefined, KeyRange> {
  const start = from ?? { bucket: bucket ?? '', key: key ?? prefix }
  return new Map(
    spacesAt(start.bucket, start.key).map((gte, index) => [gte[0], { gte, lt: endOf(gte, index) }]),
  )

  function endOf(gte: Uint8Array, index: number): Uint8Array {
    if (bucket === undefined) return successor(gte.subarray(0, 1))
    // The text of the key and its end; of an object the key alone.
    if (key !== undefined) return Uint8Array.of(...gte, 0, 2)
    return successor(spacesAt(bucket, prefix)[index] ?? gte)
  }
}

function first(positions: readonly (EntryPosition | undefined)[]): EntryPosition | undefined {
  let least: EntryPosition | undefined
  for (const position of positions) {
    if (position === undefined) continue
    if (least === undefined || comparePosition(position, least) < 0) least = position
  }
  return least
}
