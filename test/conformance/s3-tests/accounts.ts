import { createHash, randomBytes } from 'node:crypto'

/** Accounts that ceph/s3-tests takes, made anew for each run. */

export interface SuiteAccount {
  /** Section of s3tests.conf. */
  readonly section: string
  readonly accountId: string
  readonly canonicalId: string
  readonly displayName: string
  readonly email: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Sections in the order that they are written. */
const SECTIONS = ['s3 main', 's3 alt', 's3 tenant', 'iam', 'iam root', 'iam alt root'] as const

/** @param process which of the processes that run tests they are for: some tests count all buckets of an account */
export function newAccounts(process: number): readonly SuiteAccount[] {
  return SECTIONS.map((section, index) => {
    const name = `${section.replaceAll(' ', '-')}-${process}`
    return {
      section,
      accountId: `1000000${process}000${index}`,
      canonicalId: createHash('sha256').update(`s3-tests:${name}`).digest('hex'),
      displayName: name,
      email: `${name}@example.com`,
      accessKeyId: `AKIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(20).toString('hex'),
    }
  })
}

/** The file for `ashlar start --accounts`. */
export function accountsFile(accounts: readonly SuiteAccount[]): string {
  const listed = accounts.map(({ accountId, canonicalId, displayName, accessKeyId, secretAccessKey }) => ({
    accountId,
    canonicalId,
    displayName,
    accessKeys: [{ accessKeyId, secretAccessKey }],
  }))
  return JSON.stringify({ accounts: listed })
}

/**
 * The suite's own configuration, for a gateway on this machine. There is no `api_name`: a bucket of us-east-1 has no
 * location constraint, and naming that region is an error at AWS. Storage classes are AWS's.
 */
export function suiteConfig(port: number, accounts: readonly SuiteAccount[]): string {
  const sections = accounts.map(({ section, canonicalId, displayName, email, ...keys }) =>
    [
      `[${section}]`,
      `display_name = ${displayName}`,
      `user_id = ${canonicalId}`,
      `email = ${email}`,
      `access_key = ${keys.accessKeyId}`,
      `secret_key = ${keys.secretAccessKey}`,
      ...(section === 's3 tenant' ? ['tenant ='] : []),
    ].join('\n'),
  )
  return [
    '[DEFAULT]',
    'host = 127.0.0.1',
    `port = ${port}`,
    'is_secure = False',
    'ssl_verify = False',
    '',
    '[fixtures]',
    'bucket prefix = s3tests-{random}-',
    '',
    sections.join('\n\n'),
    '',
  ].join('\n')
}
