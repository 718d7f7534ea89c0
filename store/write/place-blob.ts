/** Where a new blob goes. */

import { groupOf } from '../../core/placement/group.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import { StoreError } from '../api.ts'
import type { ClusterSnapshot, GroupView } from '../cluster/snapshot.ts'
import type { Environment } from '../environment.ts'

export interface PlacedBlob {
  readonly snapshot: ClusterSnapshot
  readonly group: GroupView
  readonly id: string
}

/** @throws {StoreError} `unwritable` */
export async function placeBlob(
  { cluster, clock, random }: Environment,
  storageClass: string,
  size: number,
): Promise<PlacedBlob> {
  const snapshot = cluster.current ?? (await cluster.ready('unwritable'))
  const pool = snapshot.poolFor(storageClass, size)
  const id = newIdentifier(clock, random)
  const group = pool?.groups[groupOf(id, pool.groups.length)]
  if (group === undefined) {
    throw new StoreError('unwritable', `no pool of storage class ${storageClass} takes ${size} bytes`)
  }
  return { snapshot, group, id }
}
