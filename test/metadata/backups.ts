import assert from 'node:assert/strict'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { engineIdKey } from '../../core/keyspace/keys.ts'
import { readChunks, type BackupSource } from '../../metadata/backup/format/reader.ts'
import type { Moments } from '../../metadata/backup/moments.ts'
import { restoreInto } from '../../metadata/backup/restore.ts'
import { takeBackup } from '../../metadata/backup/take.ts'
import { BackupWriter } from '../../metadata/backup/format/writer.ts'
import { verifyBackup } from '../../metadata/backup/verify.ts'
import type { Engine, EngineEntry } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import { world } from '../contract/metadata-service.ts'

/** Backups in memory. */

/** An engine that outlives the services on it, as a disk does. */
export class KeptEngine extends MemoryEngine {
  override async close(): Promise<void> {}
}

/** The moments of an engine that has everything. */
export function momentsOf(engine: Engine): Pick<Moments, 'look'> {
  return { look: async ({ open }) => ({ opened: await open([{ id: 'one', engine }]), heldMs: 0 }) }
}

export function emptyFile(): Promise<DiskFile> {
  return new MemoryDisk().open('backup', { create: true })
}

export async function backUp(api: MetadataApi): Promise<DiskFile> {
  const file = await emptyFile()
  await takeBackup({ api, file, program: 'test' })
  return file
}

export const HEADER = {
  clusterId: 'test-cluster',
  program: 'test',
  atMs: 1,
  at: '',
  recordFormat: 1,
  engines: ['one'],
  oneMoment: true,
  heldMs: 0,
}

/** A file of these entries, in order of key. */
export async function fileOf(entries: readonly EngineEntry[]): Promise<DiskFile> {
  const file = await emptyFile()
  const id = entries.find(({ key }) => compareBytes(key, engineIdKey) === 0)?.value
  const engines = id === undefined ? HEADER.engines : [Buffer.from(id).toString('hex')]
  const writer = await BackupWriter.start(file, { ...HEADER, engines })
  await writer.add(0, entries)
  await writer.end()
  return file
}

export async function bytesOf(file: BackupSource): Promise<Uint8Array> {
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  return bytes
}

/** A file of these bytes. */
export function sourceOf(bytes: Uint8Array): BackupSource {
  return {
    size: async () => bytes.length,
    async read(into, position) {
      const found = bytes.subarray(position, position + into.length)
      into.set(found)
      return found.length
    },
  }
}

export interface Restore {
  readonly backupMs?: number
  readonly restoredMs?: number
}

export function restoreFile(file: BackupSource, engine: Engine, times: Restore = {}): Promise<number> {
  const { backupMs = 1, restoredMs = 2 } = times
  return restoreInto(engine, {
    entries: entriesOf(file),
    backupMs,
    restoredMs,
    source: 'a test',
    random: world.random,
  })
}

export async function* entriesOf(file: BackupSource): AsyncGenerator<readonly EngineEntry[]> {
  for await (const { entries } of readChunks(file)) yield entries
}

/** Everything in the engine from `first` up. */
export async function allEntries(engine: Engine, first = 0): Promise<EngineEntry[]> {
  const found: EngineEntry[] = []
  for (let gte: Uint8Array = Uint8Array.of(first); ;) {
    const entries = await engine.scan({ gte, lt: Uint8Array.of(0xff), limit: 1024 })
    found.push(...entries)
    const last = entries.at(-1)
    if (last === undefined) return found
    gte = Uint8Array.of(...last.key, 0)
  }
}

/** Puts them without asking anybody. */
export async function fill(engine: Engine, puts: readonly EngineEntry[]): Promise<void> {
  const fence = { key: Uint8Array.of(0xee), token: undefined }
  await engine.commit({ fence, puts, deletes: [] })
}

/** Asserts that the backup is whole and says nothing wrong. */
export async function assertVerified(file: BackupSource): Promise<Awaited<ReturnType<typeof verifyBackup>>> {
  const verified = await verifyBackup(file)
  assert.deepEqual(verified.faults, [])
  return verified
}
