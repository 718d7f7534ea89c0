/** The accounts of a cluster: the root account and those of the accounts file. */
import type { SigningDigests } from '../../core/signing/digests.ts'
import { toHex } from '../../core/signing/encoding.ts'
import type { AccountConfig } from '../../runtime/config/accounts.ts'
import { ConfigError } from '../../runtime/config/layers.ts'
import type { Credentials, StoredCredential } from '../authenticate/authenticate.ts'
import type { Account } from './account.ts'

/** Account ids have this many decimal digits. */
const ACCOUNT_ID_DIGITS = 12

export interface KeyPair {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface AccountDirectory {
  readonly root: Account
  /** True when there is no other account: then every bucket is the root account's. */
  readonly onlyRoot: boolean
  /** The account of a canonical id. */
  byCanonicalId(id: string): Account | undefined
}

export interface Accounts {
  readonly directory: AccountDirectory
  readonly credentials: Credentials<Account>
}

/**
 * Ids that are not given follow from what is, so that every gateway, and the same cluster started again, has the same.
 * @throws {ConfigError} an account has the ids or the access key of another
 */
export function createAccounts(
  rootKeys: KeyPair,
  configured: readonly AccountConfig[],
  digests: SigningDigests,
): Accounts {
  const root = rootAccount(digests)
  const byId = new Map([[root.id, root]])
  const byAccessKey = new Map<string, StoredCredential<Account>>()
  const accountIds = new Set([root.accountId])
  addKeys(byAccessKey, root, [rootKeys])
  for (const { accountId, canonicalId, displayName, accessKeys } of configured) {
    const id = canonicalId ?? canonicalIdOf(`ashlar:account:${accountId}`, digests)
    if (accountIds.has(accountId) || byId.has(id)) {
      throw new ConfigError([`account ${accountId} has an id of another account`])
    }
    const account = { id, accountId, displayName }
    accountIds.add(accountId)
    byId.set(id, account)
    addKeys(byAccessKey, account, accessKeys)
  }
  return {
    directory: { root, onlyRoot: byId.size === 1, byCanonicalId: (id) => byId.get(id) },
    // Access keys are no secrets: they travel in clear. The signature is what is compared in constant time.
    credentials: { find: async (accessKey) => byAccessKey.get(accessKey) },
  }
}

function addKeys(
  byAccessKey: Map<string, StoredCredential<Account>>,
  principal: Account,
  pairs: readonly KeyPair[],
): void {
  for (const { accessKeyId, secretAccessKey } of pairs) {
    if (byAccessKey.has(accessKeyId)) {
      throw new ConfigError([`access key ${accessKeyId} belongs to another account`])
    }
    byAccessKey.set(accessKeyId, { secret: secretAccessKey, principal })
  }
}

/** The account of the root credentials: the same in every cluster. */
export function rootAccount(digests: SigningDigests): Account {
  const id = canonicalIdOf('ashlar:root', digests)
  const number = BigInt(`0x${id}`) % 10n ** BigInt(ACCOUNT_ID_DIGITS)
  return { id, accountId: String(number).padStart(ACCOUNT_ID_DIGITS, '0'), displayName: 'root' }
}

function canonicalIdOf(name: string, digests: SigningDigests): string {
  return toHex(digests.sha256(name))
}
