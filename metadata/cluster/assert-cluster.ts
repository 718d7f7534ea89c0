import { clusterMapKey } from '../../core/keyspace/keys.ts'
import type { Engine } from '../engine/engine.ts'
import { clusterMapKind, decodeRecord } from '../records.ts'
import { type ClusterPlan, firstMap } from './bootstrap.ts'

/** The engine holds another cluster than the one that was asked for. */
export class WrongClusterError extends Error {
  override readonly name = 'WrongClusterError'
}

/**
 * Looks whether the coordination engine holds this cluster, or is to hold it from now on.
 * @throws {WrongClusterError}
 * @throws {ClusterPlanError} there is none yet, and the plan for it breaks a rule
 * @throws {NewerFormatError}
 */
export async function assertCluster(engine: Engine, clusterId: string, plan: ClusterPlan): Promise<void> {
  const found = await engine.get(clusterMapKey)
  if (found === undefined) {
    firstMap(clusterId, plan)
    return
  }
  const map = decodeRecord(clusterMapKind, found)
  if (map.clusterId === clusterId) return
  throw new WrongClusterError(`the metadata here belongs to cluster ${map.clusterId}, not ${clusterId}`)
}
