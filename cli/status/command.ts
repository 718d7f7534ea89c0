import { connect } from 'node:net'
import type { GetClusterReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { STATUS_TIMEOUT_MS } from '../../core/limits.ts'
import { formatAddress, parseAddress } from '../../runtime/config/fields.ts'
import { CommandError } from '../failure.ts'
import { readClusterFile } from '../folder/cluster-file.ts'
import { dataPaths } from '../folder/paths.ts'
import { readSecret } from '../folder/secret.ts'
import { connectMetadata } from '../services/metadata-client.ts'
import { LOOPBACK } from '../start/plan.ts'
import type { World } from '../world.ts'
import { assessCluster } from './assess.ts'
import type { StatusConfig } from './config.ts'
import { renderStatus } from './render.ts'

const EXIT_DEGRADED = 3

/** Asks metadata for the cluster and prints it. Resolves to the exit code: 0 healthy, 3 degraded. */
export async function runStatus(config: StatusConfig, world: World): Promise<number> {
  const { address, secretFile, hint } = await target(config)
  const { map, nodes, outboxBacklog, repairBacklog } = await ask(
    address,
    await readSecret(secretFile),
    hint,
    world,
  )
  if (map === undefined) throw new CommandError(`${address} has no cluster map`)
  const status = assessCluster({ map, nodes, outboxBacklog, repairBacklog })
  world.out(config.json ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status))
  return status.health === 'healthy' ? 0 : EXIT_DEGRADED
}

interface Target {
  readonly address: string
  readonly secretFile: string
  /** What to do if nothing answers there. */
  readonly hint: string
}

async function target({ data, metadata, secretFile }: StatusConfig): Promise<Target> {
  if (metadata !== undefined && secretFile !== undefined) {
    return { address: metadata, secretFile, hint: 'Is the metadata service running there?' }
  }
  const paths = dataPaths(data)
  const cluster = await readClusterFile(paths.cluster)
  if (cluster === undefined) {
    throw new CommandError(`no cluster in ${data}`, {
      hints: ['Name the folder of the cluster with --data, or make one with ashlar start.'],
    })
  }
  const address = formatAddress({ host: LOOPBACK, port: cluster.ports.metadata })
  return { address, secretFile: paths.secret, hint: `Is it running? ashlar start --data ${data} starts it.` }
}

async function ask(address: string, secret: string, hint: string, world: World): Promise<GetClusterReply> {
  // The client would wait for metadata to come back; a person wants to hear at once that nothing is there.
  if (!(await accepts(address))) {
    throw new CommandError(`metadata at ${address} cannot be reached: nothing answers there`, {
      hints: [hint],
    })
  }
  const client = connectMetadata(address, secret, world)
  try {
    return await client.api.call('getCluster', {}, AbortSignal.timeout(STATUS_TIMEOUT_MS))
  } catch (error) {
    const reason =
      error instanceof MetadataError ? error.message : `no answer within ${STATUS_TIMEOUT_MS / 1000} s`
    throw new CommandError(`metadata at ${address} cannot be reached: ${reason}`, {
      hints: [hint],
      cause: error,
    })
  } finally {
    await client.close()
  }
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
