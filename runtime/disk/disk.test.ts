/** What both disks do alike, and how the simulated one loses data. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Disk } from '../ports/disk.ts'
import { diskError, MemoryDisk } from './memory-disk.ts'
import { createNodeDisk } from './node-disk.ts'

function contract(name: string, open: () => Promise<{ disk: Disk; close(): Promise<void> }>): void {
  test(`${name}: files and folders as POSIX has them`, async () => {
    const { disk, close } = await open()
    try {
      await assert.rejects(disk.open('a/b/file'), { code: 'ENOENT' })
      await assert.rejects(disk.open('a/b/file', { create: true }), { code: 'ENOENT' })
      await disk.makeDirectory('a/b')
      await disk.makeDirectory('a/b')
      const file = await disk.open('a/b/file', { create: true })
      await assert.rejects(disk.open('a/b/file', { create: true }), { code: 'EEXIST' })
      const shared = new Uint8Array(new SharedArrayBuffer(3))
      shared.set([4, 5, 6])
      const many = Array.from({ length: 3000 }, (_, i) => Uint8Array.of(i & 0xff))
      await file.write([Uint8Array.of(1, 2, 3), new Uint8Array(0), shared, ...many], 2)
      await file.sync()
      assert.equal(await file.size(), 3008)
      const into = new Uint8Array(10)
      assert.equal(await file.read(into, 0), 10)
      assert.deepEqual([...into], [0, 0, 1, 2, 3, 4, 5, 6, 0, 1])
      assert.equal(await file.read(into, 3005), 3)
      assert.deepEqual([...into.subarray(0, 3)], [2997 & 0xff, 2998 & 0xff, 2999 & 0xff])
      await file.truncate(4)
      assert.equal(await file.size(), 4)
      await file.close()
      await disk.rename('a/b/file', 'a/b/other')
      await disk.syncDirectory('a/b')
      assert.deepEqual(await disk.list('a/b'), ['other'])
      assert.deepEqual(await disk.list('a'), ['b'])
      await disk.remove('a/b/other')
      assert.deepEqual(await disk.list('a/b'), [])
      await assert.rejects(disk.remove('a/b/other'), { code: 'ENOENT' })
      const { freeBytes, totalBytes } = await disk.space()
      assert.ok(freeBytes > 0 && freeBytes <= totalBytes)
    } finally {
      await close()
    }
  })
}

contract('real disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-disk-'))
  return { disk: createNodeDisk(folder), close: () => rm(folder, { recursive: true }) }
})
contract('memory disk', async () => ({ disk: new MemoryDisk(), close: async () => {} }))

async function contentsAfter(disk: MemoryDisk, survives?: () => boolean): Promise<number[] | undefined> {
  const after = disk.restart(survives)
  return (await after.list('')).includes('file') ? [...after.contents('file')] : undefined
}

test('a power cut keeps what was synced, name included, and nothing else', async () => {
  const disk = new MemoryDisk()
  const file = await disk.open('file', { create: true })
  await file.write([Uint8Array.of(1, 2)], 0)
  await file.sync()
  const before = new MemoryDisk()
  const nameless = await before.open('file', { create: true })
  await nameless.write([Uint8Array.of(1)], 0)
  await nameless.sync()
  assert.equal(await contentsAfter(before), undefined)
  await disk.syncDirectory('')
  await file.write([Uint8Array.of(9)], 1)
  await file.write([Uint8Array.of(3)], 2)
  assert.deepEqual(await contentsAfter(disk), [1, 2])
  await assert.rejects(file.write([Uint8Array.of(1)], 0), { code: 'EIO' })
})

test('what was not synced may be kept or torn by the sector', async () => {
  const torn = async (survives: () => boolean): Promise<number[]> => {
    const disk = new MemoryDisk()
    const file = await disk.open('file', { create: true })
    await disk.syncDirectory('')
    disk.cutPowerAt(disk.operations)
    await assert.rejects(file.write([new Uint8Array(1024).fill(7)], 0), { code: 'EIO' })
    const bytes = (await contentsAfter(disk, survives)) ?? []
    return [bytes.length, bytes[0] ?? -1, bytes[512] ?? -1]
  }
  assert.deepEqual(await torn(() => true), [1024, 7, 7])
  assert.deepEqual(await torn(() => false), [0, -1, -1])
  let calls = 0
  assert.deepEqual(await torn(() => ++calls !== 1), [1024, 0, 7])
})

test('a removed file is back after a power cut unless the folder was synced', async () => {
  const disk = new MemoryDisk()
  await (await disk.open('file', { create: true })).sync()
  await disk.syncDirectory('')
  await disk.remove('file')
  assert.deepEqual(await disk.restart().list(''), ['file'])
  const other = new MemoryDisk()
  await other.open('file', { create: true })
  await other.syncDirectory('')
  await other.remove('file')
  await other.syncDirectory('')
  assert.deepEqual(await other.restart(() => true).list(''), [])
})

test('a failed sync has dropped its data, and the next one does not bring it back', async () => {
  const disk = new MemoryDisk()
  const file = await disk.open('file', { create: true })
  await disk.syncDirectory('')
  let fail = true
  disk.before = ({ kind }) => {
    if (kind === 'sync' && fail) throw diskError('EIO')
  }
  await file.write([new Uint8Array(512).fill(1)], 0)
  await assert.rejects(file.sync(), { code: 'EIO' })
  fail = false
  await file.write([new Uint8Array(512).fill(2)], 512)
  await file.sync()
  assert.equal(disk.contents('file')[0], 1)
  const after = await contentsAfter(disk)
  assert.deepEqual([after?.[0], after?.[512]], [0, 2])
})

test('a full disk takes what fits and says so', async () => {
  const disk = new MemoryDisk({ capacityBytes: 1000 })
  const file = await disk.open('file', { create: true })
  await assert.rejects(file.write([new Uint8Array(1500)], 0), { code: 'ENOSPC' })
  assert.equal(await file.size(), 1000)
  assert.equal((await disk.space()).freeBytes, 0)
  await file.write([new Uint8Array(10)], 0)
})
