import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startCluster, temporaryFolder } from '../harness.ts'
import { list } from '../load.ts'
import { awsEnvironment, digestOf, digestsOf, makeFile, makeTree, missing, run } from '../tools.ts'
import { LARGE_BYTES, TREE_FILES } from './sizes.ts'

const skip = await missing('aws')

test('aws s3 cp: a large file, up in parts and down in ranges', { skip }, async (t) => {
  const cluster = await startCluster(t, { separate: true, gateways: 2 })
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
  await makeFile(up, 'large', LARGE_BYTES)
  const [first, second] = [awsEnvironment(cluster, 0), awsEnvironment(cluster, 1)]
  await run('aws', ['s3', 'mb', 's3://large'], first)
  await run('aws', ['s3', 'cp', '--no-progress', up, 's3://large/a/b c/up.bin'], first)
  await run('aws', ['s3', 'cp', '--no-progress', 's3://large/a/b c/up.bin', down], second)
  assert.equal(await digestOf(down), await digestOf(up))
  const listed = await run('aws', ['s3', 'ls', '--recursive', 's3://large'], second)
  assert.match(listed, new RegExp(` ${LARGE_BYTES} a/b c/up\\.bin\\n$`))
})

test('aws s3 sync: a tree of small files, there, back, and nothing the second time', { skip }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const [up, down] = [join(folder, 'up'), join(folder, 'down')]
  await makeTree(up, TREE_FILES)
  const environment = awsEnvironment(cluster)
  await run('aws', ['s3', 'mb', 's3://tree'], environment)
  await run('aws', ['s3', 'sync', '--no-progress', up, 's3://tree/deep/er'], environment)
  await run('aws', ['s3', 'sync', '--no-progress', 's3://tree/deep/er', down], environment)
  const expected = await digestsOf(up)
  assert.equal(expected.size, TREE_FILES)
  assert.deepEqual(await digestsOf(down), expected)
  assert.equal(await run('aws', ['s3', 'sync', '--no-progress', up, 's3://tree/deep/er'], environment), '')
  assert.equal((await list(cluster.client(), 'tree')).size, TREE_FILES)
  await run('aws', ['s3', 'rb', '--force', 's3://tree'], environment)
})

test('aws s3api: versions, a delete marker and its removal', { skip }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const environment = awsEnvironment(cluster)
  const s3api = async (...args: string[]): Promise<Record<string, unknown>> => {
    const output = await run('aws', ['s3api', '--output', 'json', ...args], environment)
    return output === '' ? {} : (JSON.parse(output) as Record<string, unknown>)
  }
  const object = ['--bucket', 'versions', '--key', 'a/b']
  await run('aws', ['s3', 'mb', 's3://versions'], environment)
  await s3api('put-bucket-versioning', '--bucket', 'versions', '--versioning-configuration', 'Status=Enabled')
  const paths = ['first', 'second'].map((name) => join(folder, name))
  const ids: unknown[] = []
  for (const path of paths) {
    await makeFile(path, path, 100_000)
    ids.push((await s3api('put-object', ...object, '--body', path))['VersionId'])
  }
  const down = join(folder, 'down')
  for (const [index, path] of paths.entries()) {
    await s3api('get-object', ...object, '--version-id', String(ids[index]), down)
    assert.equal(await digestOf(down), await digestOf(path))
  }
  await run('aws', ['s3', 'rm', 's3://versions/a/b'], environment)
  await assert.rejects(run('aws', ['s3', 'cp', 's3://versions/a/b', down], environment), /404/)
  const listed = await s3api('list-object-versions', '--bucket', 'versions')
  const versions = listed['Versions'] as { VersionId: string; IsLatest: boolean }[]
  const markers = listed['DeleteMarkers'] as { VersionId: string; IsLatest: boolean }[]
  assert.deepEqual(
    versions.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
    ids.toReversed().map((id) => [id, false]),
  )
  assert.equal(markers.length, 1)
  assert.equal(markers[0]?.IsLatest, true)
  await s3api('delete-object', ...object, '--version-id', markers[0]?.VersionId ?? '')
  await run('aws', ['s3', 'cp', '--no-progress', 's3://versions/a/b', down], environment)
  assert.equal(await digestOf(down), await digestOf(paths[1] ?? ''))
  // rb --force deletes current versions only, as at AWS.
  await assert.rejects(run('aws', ['s3', 'rb', '--force', 's3://versions'], environment), /BucketNotEmpty/)
})

test('aws s3 presign, mv', { skip }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const config = join(folder, 'config')
  // Version 1 of the command presigns with Signature Version 2 unless told.
  await writeFile(config, '[default]\ns3 =\n  signature_version = s3v4\n')
  const environment = { ...awsEnvironment(cluster), AWS_CONFIG_FILE: config }
  const up = join(folder, 'up.bin')
  await makeFile(up, 'presign', 300_000)
  await run('aws', ['s3', 'mb', 's3://presign'], environment)
  await run('aws', ['s3', 'mv', '--no-progress', up, 's3://presign/one +&?.bin'], environment)
  await makeFile(up, 'presign', 300_000)
  await run('aws', ['s3', 'mv', 's3://presign/one +&?.bin', 's3://presign/two/ü'], environment)
  const url = (await run('aws', ['s3', 'presign', 's3://presign/two/ü'], environment)).trim()
  const response = await fetch(url)
  assert.equal(response.status, 200)
  const down = join(folder, 'down.bin')
  await writeFile(down, await response.bytes())
  assert.equal(await digestOf(down), await digestOf(up))
  await rm(down)
  await run('aws', ['s3', 'rb', '--force', 's3://presign'], environment)
  assert.equal(await run('aws', ['s3', 'ls'], environment), '')
})

test('aws s3api: keys that a path would have changed', { skip }, async (t) => {
  const cluster = await startCluster(t)
  const folder = await temporaryFolder(t)
  const environment = awsEnvironment(cluster)
  const [up, down] = [join(folder, 'up'), join(folder, 'down')]
  await run('aws', ['s3', 'mb', 's3://dots'], environment)
  const keys = ['.', '..', '../a', 'a//b', 'a/../b', 'a/./b', 'a/', '//a'].toSorted()
  for (const key of keys) {
    await writeFile(up, key)
    await run('aws', ['s3api', 'put-object', '--bucket', 'dots', '--key', key, '--body', up], environment)
    await run('aws', ['s3api', 'get-object', '--bucket', 'dots', '--key', key, down], environment)
    assert.equal(await digestOf(down), await digestOf(up))
  }
  assert.deepEqual([...(await list(cluster.client(), 'dots')).keys()].toSorted(), keys)
})
