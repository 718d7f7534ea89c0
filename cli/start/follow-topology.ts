import { STATUS_WATCH_MS } from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { ClusterFile } from '../folder/cluster-file.ts'

/** What is to be done with the nodes of this machine so that they are those of the cluster. */
export interface TopologyStep {
  readonly start: readonly { readonly zone: string; readonly node: string }[]
  readonly stop: readonly string[]
}

/**
 * A node is started once both `cluster.json` and the cluster map have it, and stopped once neither has. In between somebody is
 * about to add or to remove it.
 * @param running names of the nodes that run here
 * @param known also those that did not start: they are not tried again and again
 */
export function topologyStep(
  file: Pick<ClusterFile, 'zones'>,
  mapNodes: ReadonlySet<string>,
  running: Iterable<string>,
  known: (node: string) => boolean,
): TopologyStep {
  const own = Object.entries(file.zones).flatMap(([zone, nodes]) => nodes.map((node) => ({ zone, node })))
  const names = new Set(own.map(({ node }) => node))
  return {
    start: own.filter(({ node }) => mapNodes.has(node) && !known(node)),
    stop: [...running].filter((node) => !names.has(node) && !mapNodes.has(node)),
  }
}

export interface FollowTopology {
  readonly metadata: MetadataApi
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly readFile: () => Promise<ClusterFile | undefined>
  readonly running: () => Iterable<string>
  readonly known: (node: string) => boolean
  /** Neither throws: what goes wrong is told by them. */
  readonly start: (cluster: ClusterFile, zone: string, node: string) => Promise<void>
  readonly stop: (node: string) => Promise<void>
}

/** Looks from time to time whether a node was added or removed, until aborted. Never rejects. */
export async function followTopology(request: FollowTopology): Promise<void> {
  const { metadata, clock, signal, readFile, running, known, start, stop } = request
  while (!signal.aborted) {
    try {
      await clock.sleep(STATUS_WATCH_MS, signal)
      const { map } = await metadata.call('getCluster', {}, signal)
      const file = await readFile()
      if (map === undefined || file === undefined) continue
      const step = topologyStep(file, new Set(map.nodes.map(({ id }) => id)), running(), known)
      for (const { zone, node } of step.start) await start(file, zone, node)
      for (const node of step.stop) await stop(node)
    } catch {
      // Metadata is away, the file is being looked at by somebody else, or this ends: the next look tells.
    }
  }
}
