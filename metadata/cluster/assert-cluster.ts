import { clusterMapKey, restoringKey } from '../../core/keyspace/keys.ts'
import type { Engine } from '../engine/engine.ts'
import { clusterMapKind, decodeRecord } from '../records.ts'
import { type ClusterPlan, firstMap } from './bootstrap.ts'

/** The engine holds another cluster than the one that was asked for. */
export class WrongClusterError extends Error {
  override readonly name = 'WrongClusterError'
}

/** The engine holds no cluster, and was to hold one that there is already. */
export class NoClusterError extends Error {
  override readonly name = 'NoClusterError'
}

/**
 * Looks whether there is any cluster in the coordination engine, before anything is written there: a restore into it must find it empty.
 * @throws {NoClusterError}
 */
export async function assertBegun(engine: Engine, clusterId: string): Promise<void> {
  if ((await engine.get(clusterMapKey)) !== undefined) return
  // That it is being restored is said by what comes next.
  if ((await engine.get(restoringKey)) !== undefined) return
  throw new NoClusterError(`there is no metadata of cluster ${clusterId} here`)
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
