/** All that `ashlar fsck` looks at: the records of metadata among themselves, then metadata against shards. */

import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { checkLiveRecords, type Unseen } from '../../metadata/structure/live-check.ts'
import {
  checkCluster,
  type FsckProgress,
  type FsckRequest,
  type FsckResult,
} from '../../workers/fsck/check.ts'
import type { FsckWorld } from '../../workers/fsck/context.ts'
import { patient } from '../../workers/fsck/patient.ts'
import type { FsckFinding } from './kinds.ts'

/** How far the first part is. */
export interface RecordsProgress {
  readonly recordBytes: number
  /** Roughly; 0: nobody knows. */
  readonly of: number
}

export interface AllRequest extends Omit<FsckRequest, 'onFinding' | 'onProgress'> {
  readonly onFinding: (finding: FsckFinding) => void
  readonly onProgress?: (progress: FsckProgress | RecordsProgress) => void
}

/** @throws {MetadataError} metadata cannot be reached, or the signal's reason */
export async function checkAll(hasty: FsckWorld, request: AllRequest): Promise<FsckResult> {
  const world = { ...hasty, metadata: patient(hasty.metadata, hasty.clock) }
  const unseen = await checkRecords(world, request)
  const result = await checkCluster(world, request)
  return { ...result, blind: [...unseen, ...result.blind] }
}

async function checkRecords(
  { metadata: api, clock }: FsckWorld,
  { bucket, prefix, signal, onFinding, onProgress }: AllRequest,
): Promise<readonly Unseen[]> {
  try {
    return await checkLiveRecords({
      api,
      clock,
      signal,
      bucket,
      prefix,
      onFault: onFinding,
      onProgress: (recordBytes, of) => {
        onProgress?.({ recordBytes, of })
      },
    })
  } catch (error) {
    // As many snapshots as there may be are open: the rest can be looked at all the same.
    if (!(error instanceof MetadataError) || error.code !== FailureCode.INVALID_REQUEST) throw error
    return [{ what: 'records of metadata among themselves', why: error.message }]
  }
}
