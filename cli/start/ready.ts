import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { CommandError } from '../failure.ts'
import { probe, type ProbeSigning } from './probe.ts'

const POLL_MS = 20

export interface Wait {
  /** Aborted when the start is to be given up. */
  readonly signal: AbortSignal
  /** Told what is waited for. */
  readonly waitFor: (what: string) => void
}

/** Told of a storage node that did not start while others did. */
export type OnMissing = (node: string, reason: unknown) => void

/**
 * Waits until these nodes are up: a gateway that starts then sees all there is of the cluster at its first look, and need
 * not write around nodes that are only about to come.
 * @param nodes ids; looked at anew each time, so that a node that ends meanwhile can be taken out. Those that the cluster map
 * does not have are not waited for: they are about to be removed
 */
export async function nodesUp(
  metadata: MetadataApi,
  clock: Clock,
  nodes: ReadonlySet<string>,
  { signal, waitFor }: Wait,
): Promise<void> {
  for (;;) {
    const cluster = await metadata.call('getCluster', {}, signal)
    const up = new Set(cluster.nodes.filter((node) => node.up).map(({ node }) => node))
    const members = new Set(cluster.nodes.map(({ node }) => node))
    const missing = [...nodes].filter((id) => members.has(id) && !up.has(id))
    if (missing.length === 0) return
    waitFor(missing.join(', '))
    await clock.sleep(POLL_MS, signal)
  }
}

/**
 * Waits until a gateway answers a signed request.
 * @param endpoint its base URL
 * @throws {CommandError} it refuses
 */
export async function gatewayAnswers(
  endpoint: string,
  signing: ProbeSigning,
  { signal, waitFor }: Wait,
): Promise<void> {
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
