import {
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { versionOrderFaults, type MadeVersion } from './version-order.ts'

/** What the writes to one key of a bucket with versions were answered. */
interface Made {
  readonly versions: MadeVersion[]
  /** Writes of unknown outcome, each of which may have made one more. */
  unknown: number
}

/** The versions, or the delete markers, that the writes of a history made. A bucket without versions has none. */
export class VersionsMade {
  readonly #keys = new Map<string, Made>()

  add(key: string, version: MadeVersion): void {
    this.#of(key).versions.push(version)
  }

  addUnknown(key: string): void {
    this.#of(key).unknown++
  }

  /** What is wrong with the list of each key. @param listed ids, newest first, by key */
  faults(listed: ReadonlyMap<string, readonly string[]>): string[] {
    return [...this.#keys].flatMap(([key, { versions, unknown }]) =>
      versionOrderFaults(versions, listed.get(key) ?? [], unknown).map((fault) => `${key}: ${fault}`),
    )
  }

  #of(key: string): Made {
    const made = this.#keys.get(key) ?? { versions: [], unknown: 0 }
    this.#keys.set(key, made)
    return made
  }
}

/**
 * All versions of a bucket, and all delete markers, of each key the newest first. The SDK gives them apart, so that how they
 * are mixed is not known.
 */
export async function listVersions(
  client: S3Client,
  bucket: string,
): Promise<{ objects: Map<string, string[]>; markers: Map<string, string[]> }> {
  const objects = new Map<string, string[]>()
  const markers = new Map<string, string[]>()
  const add = (to: Map<string, string[]>, key = '', id = ''): void => {
    to.set(key, [...(to.get(key) ?? []), id])
  }
  let page: ListObjectVersionsCommandOutput | undefined
  do {
    const from = { KeyMarker: page?.NextKeyMarker, VersionIdMarker: page?.NextVersionIdMarker }
    page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket, ...from }))
    for (const { Key, VersionId } of page.Versions ?? []) add(objects, Key, VersionId)
    for (const { Key, VersionId } of page.DeleteMarkers ?? []) add(markers, Key, VersionId)
  } while (page.IsTruncated === true)
  return { objects, markers }
}
