/** What the blobs of one key say of its versions. Pure. */

import { blobTimeMs } from '../../core/records/blob-age.ts'
import type { BlobFact } from './fact.ts'

/** All that is known of one version, or of an upload, since nothing tells them apart but what there is. */
export interface VersionFacts {
  readonly version: string
  /** The bytes of a single PUT. */
  readonly own: BlobFact | undefined
  /** In order of their numbers, each once. */
  readonly parts: readonly BlobFact[]
  /** By name, each once. */
  readonly annotations: readonly BlobFact[]
  /** Blobs of the same place that another stands before: an earlier write, or one by another code. */
  readonly superseded: number
}

/** @param facts of one version, in order of their keys */
export function versionOf(version: string, facts: readonly BlobFact[]): VersionFacts {
  const chosen = new Map<string, BlobFact>()
  for (const fact of facts) {
    const { annotation, part } = fact.position
    const name = `${annotation}/${part}`
    const other = chosen.get(name)
    if (other === undefined || isBetter(fact, other)) chosen.set(name, fact)
  }
  const all = [...chosen.values()]
  const annotations = all.filter(({ position }) => position.annotation !== '')
  const own = all.find(({ position }) => position.annotation === '' && position.part === 0)
  // The id of an upload is no other write's version: parts beside a blob of its own are nobody's.
  const parts = own === undefined ? all.filter(({ position }) => position.part !== 0) : []
  const superseded = facts.length - annotations.length - parts.length - Number(own !== undefined)
  return { version, own, parts, annotations, superseded }
}

/** What can be read comes before what cannot, then the newer before the older. */
function isBetter(a: BlobFact, b: BlobFact): boolean {
  if (a.readable !== b.readable) return a.readable
  return a.record.id > b.record.id
}

/**
 * Whether parts are those of an upload that was completed. Shards do not say: an upload of which the parts 1 to n are there, each but
 * the last as large as S3 asks for, is taken for completed, and so is whatever has annotations, which only objects have.
 */
export function isCompleted({ parts, annotations }: VersionFacts, partBytesMin: bigint): boolean {
  if (annotations.length > 0) return true
  return parts.every(
    ({ position, record }, index) =>
      position.part === index + 1 && (index === parts.length - 1 || record.size >= partBytesMin),
  )
}

/** Unix milliseconds: when it was written, as far as its names tell. */
export function timeOf({ version, own, parts }: VersionFacts): number {
  // Blobs that were written again by another code are younger than what they hold; the version's own name is not.
  if (own !== undefined || parts.length === 0) return blobTimeMs(version)
  return Math.max(...parts.map(({ record }) => blobTimeMs(record.id)))
}

/** A version in little, for putting those of a key in order. */
export interface VersionSummary {
  readonly version: string
  readonly timeMs: number
  readonly isObject: boolean
}

/** The oldest first. */
export function compareVersions(a: VersionSummary, b: VersionSummary): number {
  if (a.timeMs !== b.timeMs) return a.timeMs - b.timeMs
  return a.version < b.version ? -1 : 1
}
