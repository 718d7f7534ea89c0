import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ACCESS_KEYS_PER_ACCOUNT_MAX, ACCOUNTS_MAX } from '../../core/limits.ts'
import { parseAccounts } from './accounts.ts'
import { ConfigError } from './layers.ts'

const SECRET = 'a-very-secret-thing'
const pair = { accessKeyId: 'AKIDALICE', secretAccessKey: SECRET }
const account = { accountId: '111122223333', displayName: 'alice', accessKeys: [pair] }

function faultsOf(value: unknown): readonly string[] {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  try {
    parseAccounts(text, 'accounts.json')
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.ok(!error.message.includes(SECRET), error.message)
    return error.faults
  }
  assert.fail('accepted')
}

test('accounts, with and without a canonical id', () => {
  const accounts = [
    account,
    {
      ...account,
      accountId: '444455556666',
      canonicalId: 'ab'.repeat(32),
      accessKeys: [{ ...pair, accessKeyId: 'AKIDBOB' }],
    },
  ]
  assert.deepEqual(parseAccounts(JSON.stringify({ accounts }), 'f'), accounts)
  assert.deepEqual(parseAccounts('{"accounts":[]}', 'f'), [])
})

test('every fault is named by its place, and no secret is shown', () => {
  const cases: [unknown, RegExp][] = [
    [`{"accounts": "${SECRET}`, /^accounts\.json: no valid JSON$/],
    [{}, /accounts: expected array/],
    [{ accounts: [], more: 1 }, /no such field: more/],
    [{ accounts: [{ ...account, accountId: '12' }] }, /accounts: 0: accountId: expected 12 digits/],
    [{ accounts: [{ ...account, canonicalId: 'AB'.repeat(32) }] }, /expected 64 lower-case hex digits/],
    [{ accounts: [{ ...account, displayName: '' }] }, /displayName: expected a name/],
    [{ accounts: [{ ...account, displayName: 'x'.repeat(65) }] }, /displayName: expected at most 64/],
    [{ accounts: [{ ...account, accessKeys: [] }] }, /accessKeys: expected at least one key pair/],
    [
      { accounts: [{ ...account, accessKeys: [{ ...pair, secretAccessKey: `${SECRET} \n` }] }] },
      /secretAccessKey: expected/,
    ],
    [{ accounts: [{ ...account, accessKeys: [{ ...pair, accessKeyId: 'a/b' }] }] }, /accessKeyId: expected/],
    [
      { accounts: [account, { ...account, accessKeys: [{ ...pair, accessKeyId: 'OTHER' }] }] },
      /two accounts have one accountId/,
    ],
    [{ accounts: [account, { ...account, accountId: '444455556666' }] }, /an access key is given twice/],
    [
      {
        accounts: [
          {
            ...account,
            accessKeys: Array.from({ length: ACCESS_KEYS_PER_ACCOUNT_MAX + 1 }, (_pair, index) => ({
              ...pair,
              accessKeyId: `KEY${index}`,
            })),
          },
        ],
      },
      /at most 16 key pairs/,
    ],
    [
      {
        accounts: Array.from({ length: ACCOUNTS_MAX + 1 }, (_account, index) => ({
          ...account,
          accountId: String(index).padStart(12, '0'),
          accessKeys: [{ ...pair, accessKeyId: `KEY${index}` }],
        })),
      },
      /at most 1000 accounts/,
    ],
  ]
  for (const [value, expected] of cases) assert.match(faultsOf(value).join('\n'), expected)
})

test('two accounts of one canonical id', () => {
  const canonicalId = 'ab'.repeat(32)
  const other = {
    ...account,
    accountId: '444455556666',
    canonicalId,
    accessKeys: [{ ...pair, accessKeyId: 'OTHER' }],
  }
  assert.match(
    faultsOf({ accounts: [{ ...account, canonicalId }, other] }).join(),
    /two accounts have one canonicalId/,
  )
})
