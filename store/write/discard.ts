/** Removal of what a write left behind that was certainly not committed. */

import { SHARD_DELETE_TIMEOUT_MS } from '../../core/limits.ts'
import type { Environment } from '../environment.ts'
import type { BlobWrite } from './blob-write.ts'

/**
 * Removes the shards of a blob, in the background and as far as the nodes can be reached; garbage collection finds the
 * rest. Only for a blob whose commit was never sent or was refused: anything else might have been acknowledged.
 */
export function discard(environment: Environment, group: number, blob: string, write: BlobWrite): void {
  environment.background.run(remove(environment, group, blob, write))
}

async function remove(
  environment: Environment,
  group: number,
  blob: string,
  write: BlobWrite,
): Promise<void> {
  // A put that is still running would land after its own removal.
  await write.settled()
  await Promise.all([...write.touched].map((node) => removeFrom(environment, node, group, blob)))
}

/** Never rejects. */
export async function removeFrom(
  environment: Environment,
  node: string,
  group: number,
  blob: string,
): Promise<void> {
  const { shards, clock, log } = environment
  const controller = new AbortController()
  const cancel = clock.after(SHARD_DELETE_TIMEOUT_MS, () => {
    controller.abort()
  })
  try {
    await shards.node(node).deleteBlob(group, blob, controller.signal)
  } catch (error) {
    log.debug('shards of a failed write stay for garbage collection', { node, blob, error })
  } finally {
    cancel()
  }
}
