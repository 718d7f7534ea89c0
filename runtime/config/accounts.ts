import { z } from 'zod'
import { ACCESS_KEYS_PER_ACCOUNT_MAX, ACCOUNTS_MAX, DISPLAY_NAME_LENGTH_MAX } from '../../core/limits.ts'
import { accessKeyId, secretAccessKey } from './fields.ts'
import { ConfigError } from './layers.ts'

/**
 * Accounts besides the root account, as a file lists them:
 *
 *     { "accounts": [{
 *         "accountId": "111122223333",
 *         "displayName": "alice",
 *         "accessKeys": [{ "accessKeyId": "…", "secretAccessKey": "…" }] }] }
 *
 * `canonicalId`, 64 lower-case hex digits, may be given for an account that is to keep the one it has elsewhere; otherwise
 * it follows from the account id.
 */
const account = z.strictObject({
  accountId: z.string().regex(/^\d{12}$/, 'expected 12 digits'),
  canonicalId: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits')
    .optional(),
  displayName: z
    .string()
    .min(1, 'expected a name')
    .max(DISPLAY_NAME_LENGTH_MAX, `expected at most ${DISPLAY_NAME_LENGTH_MAX} characters`),
  accessKeys: z
    .array(z.strictObject({ accessKeyId, secretAccessKey }))
    .min(1, 'expected at least one key pair')
    .max(ACCESS_KEYS_PER_ACCOUNT_MAX, `expected at most ${ACCESS_KEYS_PER_ACCOUNT_MAX} key pairs`),
})

const accountsFile = z.strictObject({
  accounts: z
    .array(account)
    .max(ACCOUNTS_MAX, `expected at most ${ACCOUNTS_MAX} accounts`)
    .refine((all) => areUnique(all.map(({ accountId }) => accountId)), 'two accounts have one accountId')
    .refine(
      (all) => areUnique(all.flatMap(({ canonicalId }) => canonicalId ?? [])),
      'two accounts have one canonicalId',
    )
    .refine(
      (all) => areUnique(all.flatMap(({ accessKeys }) => accessKeys.map((pair) => pair.accessKeyId))),
      'an access key is given twice',
    ),
})

export type AccountConfig = z.output<typeof account>

/**
 * The accounts of a file.
 * @param name of the file, for the error
 * @throws {ConfigError} with every fault at once; it shows no secret
 */
export function parseAccounts(text: string, name: string): readonly AccountConfig[] {
  const result = accountsFile.safeParse(parseJson(text, name))
  if (result.success) return result.data.accounts
  throw new ConfigError(
    result.error.issues.map((issue) => `${name}: ${[...issue.path, faultOf(issue)].join(': ')}`),
  )
}

/** JSON.parse quotes the text around a mistake, and that may be a secret. */
function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ConfigError([`${name}: no valid JSON`])
  }
}

function faultOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `no such field: ${issue.keys.join(', ')}`
  return issue.code === 'invalid_type' ? `expected ${issue.expected}` : issue.message
}

function areUnique(values: readonly string[]): boolean {
  return new Set(values).size === values.length
}
