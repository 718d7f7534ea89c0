/** A storage node of small segments on a disk in memory, and shards to put on it: for tests of what lies in files. */
import type { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import type { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import { StorageNode, type StorageNodeOptions } from '../../storage-node/node.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

/** Opens it; `clock` is its time. */
export async function open(
  disk: MemoryDisk,
  index: MemoryIndex,
  more: Partial<StorageNodeOptions> = {},
): Promise<{ node: StorageNode; clock: SimulatedClock }> {
  const clock = new SimulatedClock()
  const options = { nodeId: 'n1', zone: 'a', segmentBytes: 24_000, checkpointBytes: 40_000, ...more }
  const ports = { disk, index, clock, random: systemRandom, log: silentLog }
  return { node: await clock.drive(StorageNode.open(options, ports)), clock }
}

/** The one shard that a blob has here. */
export const one = (blob: number) => addressOf(1, blobOf(blob))

export async function put(node: StorageNode, blobs: readonly number[], bytes = 2000): Promise<void> {
  for (const blob of blobs) await node.put(putOf(one(blob), bytesOf(bytes, blob)))
}

/** The whole numbers `from` up to `to`, exclusive. */
export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)
