import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { startCluster, temporaryFolder, type Cluster } from '../harness.ts'
import { digestsOf, makeFile, makeTree, missing, run } from '../tools.ts'
import { TREE_FILES } from './sizes.ts'

const skip = await missing('rclone')

const MIB = 1024 * 1024

/** A command whose remote `ash:` is the cluster, from nothing but its environment. */
function rcloneFor(cluster: Cluster): (...args: string[]) => Promise<string> {
  const { accessKeyId, secretAccessKey } = cluster.credentials
  const environment = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_ASH_TYPE: 's3',
    RCLONE_CONFIG_ASH_PROVIDER: 'Other',
    RCLONE_CONFIG_ASH_ENDPOINT: cluster.endpoints[0] ?? '',
    RCLONE_CONFIG_ASH_ACCESS_KEY_ID: accessKeyId,
    RCLONE_CONFIG_ASH_SECRET_ACCESS_KEY: secretAccessKey,
    // Before 1.61 it sends `private` with every object, which AWS refuses too where lists are off (rclone #6413).
    RCLONE_S3_ACL: 'bucket-owner-full-control',
    RCLONE_S3_BUCKET_ACL: 'private',
    RCLONE_S3_CHUNK_SIZE: '5M',
    RCLONE_S3_UPLOAD_CUTOFF: '8M',
    // A failure is to be seen, not retried away.
    RCLONE_RETRIES: '1',
    RCLONE_LOW_LEVEL_RETRIES: '1',
  }
  return (...args) => run('rclone', args, environment)
}

test('rclone: copy, check, sync --checksum, in parts', { skip }, async (t) => {
  const rclone = rcloneFor(await startCluster(t))
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up'), join(folder, 'down')]
  await makeTree(up, TREE_FILES)
  await makeFile(join(up, 'large.bin'), 'large', 18 * MIB + 5)
  await rclone('mkdir', 'ash:first')
  await rclone('copy', up, 'ash:first/deep')
  await rclone('check', up, 'ash:first/deep')
  await rclone('check', '--download', up, 'ash:first/deep')
  await rclone('sync', '--checksum', 'ash:first/deep', down)
  assert.deepEqual(await digestsOf(down), await digestsOf(up))

  await makeFile(join(up, 'large.bin'), 'changed', 18 * MIB + 5)
  await rm(join(up, '0'), { recursive: true })
  await assert.rejects(rclone('check', up, 'ash:first/deep'), /differences found/)
  await rclone('sync', '--checksum', up, 'ash:first/deep')
  await rclone('check', up, 'ash:first/deep')
  await rclone('sync', '--checksum', 'ash:first/deep', 'ash:first/copied')
  await rclone('check', 'ash:first/deep', 'ash:first/copied')
  await rclone('purge', 'ash:first')
  assert.equal(await rclone('lsd', 'ash:'), '')
})

test('rclone --s3-versions: an older version by the time in its name', { skip }, async (t) => {
  const cluster = await startCluster(t)
  const rclone = rcloneFor(cluster)
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up'), join(folder, 'down')]
  await rclone('mkdir', 'ash:versions')
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await cluster.client().send(new PutBucketVersioningCommand({ Bucket: 'versions', VersioningConfiguration }))
  const path = join(up, 'file.txt')
  await makeFile(path, 'first', 1000)
  const first = (await digestsOf(up)).get('file.txt')
  await rclone('copy', up, 'ash:versions')
  await makeFile(path, 'second', 2000)
  const second = (await digestsOf(up)).get('file.txt')
  await rclone('copy', up, 'ash:versions')
  await rclone('copy', '--s3-versions', 'ash:versions', down)
  const found = await digestsOf(down)
  assert.equal(found.size, 2)
  assert.equal(found.get('file.txt'), second)
  const [older] = [...found.keys()].filter((name) => name !== 'file.txt')
  assert.match(older ?? '', /^file-v\d{4}-\d{2}-\d{2}-\d{6}-\d{3}\.txt$/)
  assert.equal(found.get(older ?? ''), first)
})
