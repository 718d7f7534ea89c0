import assert from 'node:assert/strict'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '../../runtime/config/layers.ts'
import { CommandError } from '../failure.ts'
import { readAccounts } from './accounts.ts'

test('an accounts file is read only if nobody else may', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ashlar-accounts-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'accounts.json')
  await assert.rejects(readAccounts(path), new CommandError(`${path}: no such file`))
  const accounts = [
    {
      accountId: '111122223333',
      displayName: 'alice',
      accessKeys: [{ accessKeyId: 'AKIDALICE', secretAccessKey: 'alice-secret' }],
    },
  ]
  await writeFile(path, JSON.stringify({ accounts }), { mode: 0o600 })
  assert.deepEqual(await readAccounts(path), accounts)
  for (const mode of [0o640, 0o604, 0o620]) {
    await chmod(path, mode)
    await assert.rejects(readAccounts(path), (error) => {
      assert.ok(error instanceof CommandError)
      assert.match(error.message, /others than its owner/)
      assert.deepEqual(error.hints, [`chmod 600 ${path}`])
      return true
    })
  }
  await chmod(path, 0o600)
  await writeFile(path, '{"accounts": [{"secretAccessKey": "alice-secret"}]}')
  await assert.rejects(readAccounts(path), (error) => {
    assert.ok(error instanceof ConfigError)
    assert.ok(!error.message.includes('alice-secret'))
    return true
  })
})

test(
  'who may read a file that is somebody else’s is its owner’s affair, as of a secret mounted into a container; who may write it is not',
  { skip: process.getuid?.() === 0 ? false : 'only root can give a file away' },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'ashlar-accounts-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'accounts.json')
    await writeFile(path, '{"accounts": []}')
    await chown(path, 65_534, 65_534)
    for (const mode of [0o400, 0o440, 0o444]) {
      await chmod(path, mode)
      assert.deepEqual(await readAccounts(path), [])
    }
    for (const mode of [0o460, 0o446]) {
      await chmod(path, mode)
      await assert.rejects(readAccounts(path), /others than its owner may read or change it/)
    }
  },
)
