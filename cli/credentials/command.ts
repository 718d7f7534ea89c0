import type { z } from 'zod'
import { adminToken } from '../../runtime/admin/access.ts'
import { CommandError } from '../failure.ts'
import { credentialsFromEnvironment, readCredentials, type Credentials } from '../folder/credentials.ts'
import { dataPaths } from '../folder/paths.ts'
import { readSecret } from '../folder/secret.ts'
import type { credentialsConfig } from './config.ts'

/**
 * The root credentials of a local cluster as text: those of the environment, which win at a start, or those of its folder; or the token
 * of the admin interface of any cluster.
 * @throws {CommandError} there are none
 */
export async function showCredentials(
  config: z.output<typeof credentialsConfig>,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const paths = dataPaths(config.data)
  if (config.admin) return `${adminToken(await readSecret(config.secretFile ?? paths.secret))}\n`
  const path = paths.credentials
  const credentials = credentialsFromEnvironment(environment) ?? (await readCredentials(path))
  if (credentials === undefined) {
    throw new CommandError(`no credentials in ${config.data}`, {
      hints: ['Name the folder of the cluster with --data, or make one with ashlar start.'],
    })
  }
  return formatCredentials(credentials, config)
}

function formatCredentials(
  { accessKeyId, secretAccessKey }: Credentials,
  format: { readonly json: boolean; readonly env: boolean },
): string {
  if (format.json) return `${JSON.stringify({ accessKeyId, secretAccessKey }, null, 2)}\n`
  if (format.env) return `AWS_ACCESS_KEY_ID=${accessKeyId}\nAWS_SECRET_ACCESS_KEY=${secretAccessKey}\n`
  return `Access key  ${accessKeyId}\nSecret key  ${secretAccessKey}\n`
}
