import type { BackupHeader, BackupTrailer } from './format/documents.ts'
import { type BackupSource, checkBackup, readChunks } from './format/reader.ts'
import { ClusterRecords } from '../structure/cluster-records.ts'
import { NamedFaults } from '../structure/faults.ts'
import { keySpaces, KeyWalk } from '../structure/keys.ts'
import { FileRecords } from './file-source.ts'
import { spaceTable, unknownSpace } from './spaces.ts'

export interface VerifiedBackup {
  readonly header: BackupHeader
  readonly trailer: BackupTrailer
  readonly fileBytes: number
  /** Records by kind, in the order of their spaces. */
  readonly counts: readonly { readonly name: string; readonly count: number }[]
  /** What is wrong with what is in the file, a sentence each: the first of them. */
  readonly faults: readonly string[]
  readonly faultCount: number
  /** What was not looked at, a sentence each. */
  readonly notes: readonly string[]
}

/**
 * Reads a backup's file three times: for its bytes, for each record by itself, and for how the records of a key fit each other.
 * @throws {BackupDamagedError} its bytes are not those that were written
 * @throws {NewerFormatError}
 */
export async function verifyBackup(
  source: BackupSource,
  progress: (bytes: number, of: number) => void = () => undefined,
): Promise<VerifiedBackup> {
  const checked = await checkBackup(source, progress)
  const { engines } = checked.header
  const faults = new NamedFaults()
  const cluster = new ClusterRecords(engines, faults)
  const counts = new Map<number, number>()
  for await (const { engine, space, entries, at } of readChunks(source)) {
    if (!spaceTable.has(space) && !counts.has(space)) faults.add('record', unknownSpace(space))
    counts.set(space, (counts.get(space) ?? 0) + entries.length)
    // Those of keys are decoded when they are held against each other.
    if (!keySpaces.has(space)) cluster.add(engine, space, entries)
    progress(at, checked.fileBytes)
  }
  cluster.end()
  const walk = new KeyWalk(new FileRecords(source, checked), cluster, faults)
  for (const engine of engines.keys()) await walk.engine(engine)
  return {
    header: checked.header,
    trailer: checked.trailer,
    fileBytes: checked.fileBytes,
    counts: [...counts]
      .toSorted(([left], [right]) => left - right)
      .map(([space, count]) => ({ name: spaceTable.get(space)?.name ?? `space ${space}`, count })),
    faults: faults.named,
    faultCount: faults.count,
    notes: notesOf(cluster, checked.header),
  }
}

function notesOf(cluster: ClusterRecords, { oneMoment }: BackupHeader): string[] {
  return [
    ...(cluster.garbage.complete
      ? []
      : ['so much garbage waits that records were held against a part of it only']),
    ...(cluster.layout()?.unreached ?? []).map((id) => `partitions lie on engine ${id}, which is not in it`),
    ...(oneMoment ? [] : ['its engines are not of one moment, but of several near it']),
  ]
}
