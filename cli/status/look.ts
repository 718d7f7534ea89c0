import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { CommandError } from '../failure.ts'
import type { ClusterView } from './assess.ts'

/**
 * Asks metadata for all that the status is made of.
 * @throws {MetadataError}
 * @throws {CommandError} there is no map
 */
export async function lookAtCluster(
  api: MetadataApi,
  clock: Pick<Clock, 'nowMs'>,
  signal?: AbortSignal,
): Promise<ClusterView> {
  const askedMs = clock.nowMs()
  const { map, nodes, outboxBacklog, repairBacklog } = await api.call('getCluster', {}, signal)
  if (map === undefined) throw new CommandError('metadata has no cluster map')
  const risk = await knownOnly(api.call('getRisk', {}, signal))
  const backup = await knownOnly(api.call('getBackupState', {}, signal))
  const partitions = await knownOnly(api.call('getPartitions', {}, signal))
  return { map, nodes, outboxBacklog, repairBacklog, risk, backup, partitions, askedMs }
}

/** Undefined where the service is too old to know the operation. */
async function knownOnly<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof MetadataError && error.code === FailureCode.INVALID_REQUEST) return undefined
    throw error
  }
}
