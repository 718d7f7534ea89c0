import { SPACE } from '../../../core/keyspace/keys.ts'
import { decodeUtf8 } from '../../../core/keyspace/utf8.ts'
import type { EngineEntry } from '../../engine/engine.ts'
import type { BackupSource, CheckedBackup } from '../format/reader.ts'
import { comparePosition, type EntryPosition, SpaceCursor } from './cursor.ts'
import type { Faults } from './faults.ts'
import type { GarbageIndex } from './garbage-index.ts'
import { KeyCheck } from './key-check.ts'

/** In the order in which {@link KeyCheck} takes them. */
const checks: readonly (readonly [number, (check: KeyCheck, entry: EngineEntry) => void])[] = [
  [SPACE.object, (check, entry) => check.object(entry)],
  [SPACE.version, (check, entry) => check.version(entry)],
  [SPACE.nullVersion, (check, entry) => check.nullPointer(entry)],
  [SPACE.manifest, (check, entry) => check.page(entry)],
  [SPACE.annotation, (check, entry) => check.annotation(entry)],
  [SPACE.annotationPurge, (check, entry) => check.annotationPurge(entry)],
]

/** The spaces that {@link checkKeys} reads. */
export const keySpaces: ReadonlySet<number> = new Set(checks.map(([space]) => space))

/**
 * Goes over all keys of all buckets of one engine once, through the spaces side by side: each is in order of (bucket, key). Holds
 * a chunk a space.
 * @param buckets names of those there are
 */
export async function checkKeys(
  source: BackupSource,
  checked: CheckedBackup,
  engine: number,
  { buckets, garbage, faults }: { buckets: ReadonlySet<string>; garbage: GarbageIndex; faults: Faults },
): Promise<void> {
  const cursors = await Promise.all(
    checks.map(async ([space, give]) => ({
      give,
      inBucket: space === SPACE.object || space === SPACE.version,
      cursor: await SpaceCursor.open(source, checked, engine, space),
    })),
  )
  let lost = ''
  for (;;) {
    const position = first(cursors.map(({ cursor }) => cursor.position))
    if (position === undefined) return
    const bucket = decodeUtf8(position.bucket)
    const check = new KeyCheck(bucket, decodeUtf8(position.key), faults, garbage)
    for (const { give, inBucket, cursor } of cursors) {
      for (;;) {
        const { entry, position: at } = cursor
        if (entry === undefined || at === undefined || comparePosition(at, position) !== 0) break
        if (inBucket && !buckets.has(bucket) && lost !== bucket) {
          faults.add(`there are objects of bucket ${bucket}, which is not there`)
          lost = bucket
        }
        faults.try(`a record of ${bucket}/${decodeUtf8(position.key)}`, () => {
          give(check, entry)
        })
        const wait = cursor.step()
        if (wait !== undefined) await wait
      }
    }
    check.end()
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
