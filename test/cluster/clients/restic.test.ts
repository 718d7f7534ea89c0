import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCluster, temporaryFolder } from '../harness.ts'
import { digestsOf, makeFile, makeTree, missing, run } from '../tools.ts'
import { TREE_FILES } from './sizes.ts'

const skip = await missing('restic', 'version')

const MIB = 1024 * 1024

test('restic: init, backup, check of all data, restore, forget and prune', { skip }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const { accessKeyId, secretAccessKey } = cluster.credentials
  const environment = {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    RESTIC_REPOSITORY: `s3:${cluster.endpoints[0] ?? ''}/backups/host`,
    RESTIC_PASSWORD: 'only for this test',
    RESTIC_CACHE_DIR: join(folder, 'cache'),
  }
  const restic = (...args: string[]) => run('restic', args, environment)
  const [source, restored] = [join(folder, 'source'), join(folder, 'restored')]
  await makeTree(source, TREE_FILES)
  await makeFile(join(source, 'large.bin'), 'large', 12 * MIB)

  // Makes the bucket as well.
  await restic('init')
  await restic('backup', source)
  await restic('check', '--read-data')
  const first = await digestsOf(source)
  await rm(join(source, '1'), { recursive: true })
  await makeFile(join(source, 'large.bin'), 'changed', 12 * MIB)
  await restic('backup', source)
  await restic('restore', 'latest', '--verify', '--target', restored)
  assert.deepEqual(await digestsOf(join(restored, source)), await digestsOf(source))

  const snapshots = JSON.parse(await restic('snapshots', '--json')) as { id: string }[]
  assert.equal(snapshots.length, 2)
  const older = join(folder, 'older')
  await restic('restore', snapshots[0]?.id ?? '', '--target', older)
  assert.deepEqual(await digestsOf(join(older, source)), first)

  await restic('forget', '--keep-last', '1', '--prune')
  assert.equal((JSON.parse(await restic('snapshots', '--json')) as unknown[]).length, 1)
  await restic('check', '--read-data')
})
