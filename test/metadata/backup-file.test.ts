/** The file of a backup: what was written is read, and what was not is refused. */

import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { BACKUP_CHUNK_BYTES } from '../../core/limits.ts'
import { NewerFormatError } from '../../core/records/format.ts'
import { BackupDamagedError, MAGIC } from '../../metadata/backup/format/frame.ts'
import { checkBackup, readChunks } from '../../metadata/backup/format/reader.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { MemoryEngine } from '../../metadata/engine/memory.ts'
import { LevelEngine } from '../../metadata/engine/level.ts'
import { OpenBackups } from '../../metadata/backup/open-backups.ts'
import { BackupWriter } from '../../metadata/backup/format/writer.ts'
import { unpackEntries } from '../../metadata/backup/format/entries.ts'
import { temporaryDirectory, world } from '../contract/metadata-service.ts'
import {
  allEntries,
  bytesOf,
  emptyFile,
  entriesOf,
  fileOf,
  fill,
  HEADER,
  momentsOf,
  restoreFile,
  sourceOf,
} from './backups.ts'

/** Spaces that a restore leaves as they are. */
const RESTORED = [0x10, 0x11, 0x12, 0x20, 0x21, 0x22, 0x23, 0x26, 0x28]

const values = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  // Some that do not shrink, and some as large as a manifest page.
  fc.uint8Array({ minLength: 2000, maxLength: 3000 }),
  fc.integer({ min: 1, max: 255 }).map((byte) => new Uint8Array(100_000).fill(byte)),
)

const entriesArbitrary = fc
  .array(
    fc.record({
      key: fc
        .tuple(fc.constantFrom(...RESTORED), fc.uint8Array({ maxLength: 12 }))
        .map(([space, rest]) => Uint8Array.of(space, ...rest)),
      value: values,
    }),
    { maxLength: 60 },
  )
  .map(inOrder)

function inOrder(entries: readonly EngineEntry[]): EngineEntry[] {
  const byKey = new Map(entries.map((entry) => [entry.key.join(), entry]))
  return [...byKey.values()].toSorted((left, right) => compareBytes(left.key, right.key))
}

async function collect(chunks: AsyncIterable<readonly EngineEntry[]>): Promise<EngineEntry[]> {
  const found: EngineEntry[] = []
  for await (const entries of chunks) found.push(...entries)
  return found
}

const plain = (entries: readonly EngineEntry[]) =>
  entries.map(({ key, value }) => [Buffer.from(key).toString('hex'), Buffer.from(value).toString('hex')])

test('whatever is in an engine comes back from its backup, into memory and level', async () => {
  const { path, remove } = await temporaryDirectory()
  let run = 0
  await fc.assert(
    fc.asyncProperty(entriesArbitrary, async (entries) => {
      const engine = new MemoryEngine()
      await fill(engine, entries)
      const backups = new OpenBackups({ moments: momentsOf(engine), ...world })
      const { id } = await backups.open()
      const file = await emptyFile()
      const writer = await BackupWriter.start(file, HEADER)
      for (let after: Uint8Array = new Uint8Array(); ;) {
        const page = unpackEntries(await backups.read(id, 0, after))
        const last = page.at(-1)
        if (last === undefined) break
        await writer.add(0, page)
        after = last.key
      }
      await writer.end()
      await backups.close(id)
      assert.deepEqual(plain(await collect(entriesOf(file))), plain(entries))

      const memory = new MemoryEngine()
      assert.equal(await restoreFile(file, memory), entries.length)
      assert.deepEqual(plain(await allEntries(memory, 0x10)), plain(entries))
      const level = await LevelEngine.open(`${path}/${++run}`)
      await restoreFile(file, level)
      assert.deepEqual(plain(await allEntries(level)), plain(await allEntries(memory)))
      await level.close()
    }),
    { numRuns: 12 },
  )
  await remove()
})

/** A few frames: several spaces, two chunks in one of them. */
async function someFile(): Promise<Uint8Array> {
  const noise = world.random.bytes(BACKUP_CHUNK_BYTES / 4)
  const entries = [0x10, 0x20, 0x20, 0x20, 0x20, 0x20, 0x26].map((space, index) => {
    return { key: Uint8Array.of(space, index), value: space === 0x20 ? noise : Uint8Array.of(index) }
  })
  return await bytesOf(await fileOf(entries))
}

async function frameStarts(bytes: Uint8Array): Promise<number[]> {
  const starts = [MAGIC.length]
  for await (const { at } of readChunks(sourceOf(bytes))) starts.push(at)
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const last = starts.at(-1) ?? 0
  // Where the trailer begins.
  starts.push(last + 16 + view.getUint32(last + 4))
  return starts
}

test('a file that is cut off anywhere, or goes on after its end, is refused', async () => {
  const bytes = await someFile()
  await checkBackup(sourceOf(bytes))
  const starts = await frameStarts(bytes)
  assert.equal(starts.length, 6)
  const cuts = new Set(
    starts.flatMap((start) => [start - 1, start, start + 1, start + 15, start + 16, start + 17]),
  )
  for (const cut of [0, 5, bytes.length - 1, ...cuts]) {
    await assert.rejects(checkBackup(sourceOf(bytes.slice(0, cut))), (error) => {
      assert.ok(error instanceof BackupDamagedError, `cut at ${cut}`)
      return true
    })
  }
  await assert.rejects(checkBackup(sourceOf(Buffer.concat([bytes, Buffer.of(0)]))), /1 bytes follow the end/)
})

test('a bit that flipped anywhere is found, and its frame named', async () => {
  const bytes = await someFile()
  const starts = await frameStarts(bytes)
  const places = [
    ...Array.from({ length: MAGIC.length }, (_byte, index) => index),
    ...starts.flatMap((start) => Array.from({ length: 17 }, (_byte, index) => start + index)),
    ...[...world.random.bytes(100)].map((byte, index) => (byte * 7919 + index * 104_729) % bytes.length),
  ]
  for (const place of places) {
    {
      const bit = 1 << (place % 8)
      const changed = bytes.slice()
      changed[place] = (changed[place] ?? 0) ^ bit
      await assert.rejects(checkBackup(sourceOf(changed)), (error) => {
        const known = error instanceof BackupDamagedError || error instanceof NewerFormatError
        assert.ok(known, `flipped at ${place}: ${String(error)}`)
        const frame = starts.findLast((start) => start <= place)
        if (frame !== undefined) assert.match(error.message, new RegExp(`at byte ${frame}\\b`))
        return true
      })
    }
  }
})

test('a file that lacks a whole frame, or has one twice, is refused', async () => {
  const bytes = await someFile()
  const starts = await frameStarts(bytes)
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? bytes.length
    const without = Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
    await assert.rejects(checkBackup(sourceOf(without)), BackupDamagedError, `without frame ${index}`)
    const twice = Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
    await assert.rejects(checkBackup(sourceOf(twice)), BackupDamagedError, `frame ${index} twice`)
  }
})
