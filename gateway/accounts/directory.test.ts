import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConfigError } from '../../runtime/config/layers.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { createAccounts } from './directory.ts'

const rootKeys = { accessKeyId: 'ROOTKEY', secretAccessKey: 'root-secret' }
const alice = {
  accountId: '111122223333',
  displayName: 'alice',
  accessKeys: [
    { accessKeyId: 'ALICE1', secretAccessKey: 'alice-secret-1' },
    { accessKeyId: 'ALICE2', secretAccessKey: 'alice-secret-2' },
  ],
}
const ids = { accountId: '444455556666', canonicalId: 'ab'.repeat(32) }
const bob = {
  ...ids,
  displayName: 'bob',
  accessKeys: [{ accessKeyId: 'BOB', secretAccessKey: 'bob-secret' }],
}
const make = (...configured: Parameters<typeof createAccounts>[1]) =>
  createAccounts(rootKeys, configured, nodeDigests)

describe('the accounts of a cluster', () => {
  it('has the root account alone by default, with the ids it always had', () => {
    const { directory } = make()
    assert.equal(directory.onlyRoot, true)
    assert.deepEqual(directory.root, {
      id: Buffer.from(nodeDigests.sha256('ashlar:root')).toString('hex'),
      accountId: directory.root.accountId,
      displayName: 'root',
    })
    assert.match(directory.root.accountId, /^\d{12}$/)
    assert.equal(make().directory.root.accountId, directory.root.accountId)
  })

  it('finds an account by its canonical id and by each of its access keys', async () => {
    const { directory, credentials } = make(alice, bob)
    assert.equal(directory.onlyRoot, false)
    for (const [accessKey, secret, accountId] of [
      ['ROOTKEY', 'root-secret', directory.root.accountId],
      ['ALICE1', 'alice-secret-1', alice.accountId],
      ['ALICE2', 'alice-secret-2', alice.accountId],
      ['BOB', 'bob-secret', bob.accountId],
    ] as const) {
      const found = await credentials.find(accessKey)
      assert.equal(found?.secret, secret)
      assert.equal(found.principal.accountId, accountId)
      assert.equal(directory.byCanonicalId(found.principal.id), found.principal)
    }
    assert.equal((await credentials.find('BOB'))?.principal.id, bob.canonicalId)
    assert.match((await credentials.find('ALICE1'))?.principal.id ?? '', /^[0-9a-f]{64}$/)
    assert.equal(await credentials.find('NOBODY'), undefined)
    assert.equal(directory.byCanonicalId('cd'.repeat(32)), undefined)
  })

  it('refuses what another account has', () => {
    const { root } = make().directory
    for (const clash of [
      { ...bob, accountId: root.accountId },
      { ...bob, canonicalId: root.id },
      { ...bob, accountId: alice.accountId },
      { ...bob, accessKeys: [rootKeys] },
      { ...bob, accessKeys: [{ accessKeyId: 'ALICE2', secretAccessKey: 'another-secret' }] },
    ]) {
      assert.throws(
        () => make(alice, clash),
        (error) => error instanceof ConfigError && !error.message.includes('secret'),
      )
    }
  })
})
