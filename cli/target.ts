import { connect } from 'node:net'
import type { z } from 'zod'
import { STATUS_TIMEOUT_MS } from '../core/limits.ts'
import { FailureCode } from '../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../proto/metadata-api.ts'
import * as field from '../runtime/config/fields.ts'
import { parseAddress, splitAddresses } from '../runtime/config/fields.ts'
import { CommandError } from './failure.ts'
import { readClusterFile, type ClusterFile } from './folder/cluster-file.ts'
import { dataPaths, type DataPaths } from './folder/paths.ts'
import { readSecret } from './folder/secret.ts'
import { connectMetadata } from './services/metadata-client.ts'
import { metadataAddresses } from './start/plan.ts'
import type { World } from './world.ts'

/** Options of the commands that ask a running cluster: which one. */
export const targetFields = {
  data: field.path.default('./data').describe('Folder of a local cluster'),
  metadata: field.addresses
    .optional()
    .describe('Instead of --data: host:port of the metadata service, or several with commas between'),
  secretFile: field.path.optional().describe("With --metadata: file of the cluster's secret"),
} as const

/** Of the environment, only what says which cluster is meant: nobody forces a change by a variable that was left over. */
export const TARGET_VARIABLES = ['ASHLAR_DATA', 'ASHLAR_METADATA', 'ASHLAR_SECRET_FILE'] as const

export interface TargetConfig {
  readonly data: string
  readonly metadata?: string | undefined
  readonly secretFile?: string | undefined
}

/** For `refine`: both or neither, and what to say otherwise. */
export function wholeTarget({ metadata, secretFile }: TargetConfig): boolean {
  return (metadata === undefined) === (secretFile === undefined)
}

export const wholeTargetRule = {
  path: ['metadata'],
  message: 'give --metadata and --secret-file together',
} satisfies Parameters<z.ZodType['refine']>[1]

/** The metadata service of a cluster, and how to reach it. */
export interface Target {
  /** One, or several with commas between. */
  readonly address: string
  readonly secretFile: string
  /** What to do if nothing answers there. */
  readonly hint: string
  /** Of a local cluster, which `ashlar start` runs. */
  readonly local: LocalCluster | undefined
}

export interface LocalCluster {
  readonly paths: DataPaths
  readonly cluster: ClusterFile
}

/** @throws {CommandError} there is no cluster in the folder */
export async function targetOf({ data, metadata, secretFile }: TargetConfig): Promise<Target> {
  if (metadata !== undefined && secretFile !== undefined) {
    const hint = 'Is the metadata service running there?'
    return { address: metadata, secretFile, hint, local: undefined }
  }
  const paths = dataPaths(data)
  const cluster = await readClusterFile(paths.cluster)
  if (cluster === undefined) {
    throw new CommandError(`no cluster in ${data}`, {
      hints: ['Name the folder of the cluster with --data, or make one with ashlar start.'],
    })
  }
  return {
    address: metadataAddresses(cluster),
    secretFile: paths.secret,
    hint: `Is it running? ashlar start --data ${data} starts it.`,
    local: { paths, cluster },
  }
}

/** Metadata as a person asks it: what does not answer in time, by default STATUS_TIMEOUT_MS, is out of reach. */
export interface Asked {
  readonly api: MetadataApi
  readonly close: () => Promise<void>
}

/** @throws {CommandError} nothing takes connections there; or the secret cannot be read */
export async function askMetadata(
  { address, secretFile, hint }: Target,
  world: World,
  timeoutMs = STATUS_TIMEOUT_MS,
): Promise<Asked> {
  const secret = await readSecret(secretFile)
  // The client would wait for metadata to come back; a person wants to hear at once that nothing is there.
  const accepted = await Promise.all(splitAddresses(address).map(accepts))
  if (!accepted.includes(true)) {
    throw new CommandError(`metadata at ${address} cannot be reached: nothing answers there`, {
      hints: [hint],
    })
  }
  const client = connectMetadata(address, secret, world)
  const api: MetadataApi = {
    async call(operation, request, signal) {
      try {
        const late = AbortSignal.timeout(timeoutMs)
        const either = signal === undefined ? late : AbortSignal.any([signal, late])
        return await client.api.call(operation, request, either)
      } catch (error) {
        if (signal?.aborted === true) throw error
        if (error instanceof MetadataError && error.code !== FailureCode.UNAVAILABLE) throw error
        const reason =
          error instanceof MetadataError ? error.message : `no answer within ${timeoutMs / 1000} s`
        throw new CommandError(`metadata at ${address} cannot be reached: ${reason}`, {
          hints: [hint],
          cause: error,
        })
      }
    },
  }
  return { api, close: () => client.close() }
}

/** Whether something takes connections there. */
async function accepts(address: string): Promise<boolean> {
  const place = parseAddress(address)
  if (place === undefined) return false
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ ...place, timeout: STATUS_TIMEOUT_MS })
  socket.once('connect', () => {
    resolve(true)
  })
  socket.once('error', () => {
    resolve(false)
  })
  socket.once('timeout', () => {
    resolve(false)
  })
  const accepted = await promise
  socket.destroy()
  return accepted
}
