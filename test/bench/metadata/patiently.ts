import { setTimeout as delay } from 'node:timers/promises'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../../proto/metadata-api.ts'

/** A client that was refused rests for so long. */
export const REST_MS = 50

/** Asks until it is done, for what is prepared or looked at: processes that have just started still share out what there is. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!isRefusal(error) && !isUnavailable(error)) throw error
      await delay(REST_MS)
    }
  }
}

export function isRefusal(error: unknown): error is MetadataError {
  return error instanceof MetadataError && error.code === FailureCode.SLOW_DOWN
}

function isUnavailable(error: unknown): boolean {
  return error instanceof MetadataError && error.code === FailureCode.UNAVAILABLE
}
