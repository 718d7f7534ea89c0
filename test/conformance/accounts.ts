/** Accounts beside the root account, for tests of who may do what. */
import { createAccounts } from '../../gateway/accounts/directory.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'

const keysOf = (name: string) => ({
  accessKeyId: `AKID${name.toUpperCase()}`,
  secretAccessKey: `${name}/secret`,
})

const account = (name: string, digit: string) => ({
  accountId: digit.repeat(12),
  canonicalId: digit.repeat(64),
  displayName: name,
  accessKeys: [keysOf(name)],
})

export const alice = { ...account('alice', '1'), keys: keysOf('alice') }
export const bob = { ...account('bob', '2'), keys: keysOf('bob') }

/** As the gateway is configured with them. */
export const accounts = [alice, bob].map(({ keys: _, ...config }) => config)

/** The root account, whose ids are the same in every cluster. */
export const root = createAccounts(keysOf('root'), [], nodeDigests).directory.root
