import { objectRange, uploadRange, versionRange } from '../../core/keyspace/keys.ts'
import type { Partition } from './partition.ts'
import { bucketMarker } from './purge.ts'

/**
 * Whether the partition has an object, version or delete marker of the bucket. If it has none, its uploads are marked to be aborted
 * once the bucket is gone. The caller sees to it that nothing of the bucket is being decided.
 */
export async function isBucketEmpty(partition: Partition, name: string): Promise<boolean> {
  // Nothing is being decided now; what was decided must be there to be found.
  await partition.settled()
  const ranges = [objectRange(name, ''), versionRange(name, ''), uploadRange(name, '')]
  const [objects = [], versions = [], uploads = []] = await partition.scanTogether(
    ranges.map((range) => ({ ...range, limit: 1 })),
  )
  if (objects.length > 0 || versions.length > 0) return false
  if (uploads.length > 0) {
    partition.enqueue({ puts: [bucketMarker(partition, name)] })
    await partition.settled()
  }
  return true
}
