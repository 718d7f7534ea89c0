import type { GetClusterReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { CommandError } from '../failure.ts'
import { probe, type ProbeSigning } from './probe.ts'

const POLL_MS = 20

export interface AwaitReady {
  readonly metadata: MetadataApi
  /** Base URLs of the gateways. */
  readonly endpoints: readonly string[]
  readonly signing: ProbeSigning
  readonly signal: AbortSignal
  /** Told what is waited for. */
  readonly waitFor: (what: string) => void
}

/**
 * Waits until every node of the cluster map is up and every gateway answers a signed request.
 * @returns what metadata says of the cluster by then
 * @throws {CommandError} a gateway refuses; or the signal's reason
 */
export async function awaitReady(request: AwaitReady): Promise<GetClusterReply> {
  const cluster = await nodesUp(request)
  for (const endpoint of request.endpoints) await answers(endpoint, request)
  return cluster
}

async function nodesUp({ metadata, signing, signal, waitFor }: AwaitReady): Promise<GetClusterReply> {
  for (;;) {
    const cluster = await metadata.call('getCluster', {}, signal)
    const up = new Set(cluster.nodes.filter((node) => node.up).map(({ node }) => node))
    const down = cluster.map?.nodes.map(({ id }) => id).filter((id) => !up.has(id)) ?? ['a cluster map']
    if (down.length === 0) return cluster
    waitFor(down.join(', '))
    await signing.clock.sleep(POLL_MS, signal)
  }
}

async function answers(endpoint: string, { signing, signal, waitFor }: AwaitReady): Promise<void> {
  for (;;) {
    const status = await probe(endpoint, signing, signal)
    if (status === 200) return
    signal.throwIfAborted()
    if (status !== undefined && status < 500) {
      throw new CommandError(`${endpoint} answered a signed request with status ${status}`, {
        hints: ['Another program may be listening there.'],
      })
    }
    waitFor(`${endpoint} (${status === undefined ? 'no answer' : `status ${status}`})`)
    await signing.clock.sleep(POLL_MS, signal)
  }
}
