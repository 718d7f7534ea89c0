/** What a check works with. */

import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { askMetadata } from '../blob/context.ts'
import { WorkView } from '../cluster/view.ts'
import { Reading } from './reading.ts'
import { noCounts, type Counts, type Finding } from './finding.ts'

export interface FsckWorld {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly log: Log
}

export interface FsckOptions {
  /** Only this bucket. */
  readonly bucket?: string | undefined
  /** Only keys that begin so. */
  readonly prefix?: string | undefined
  /** Reads every shard, and every object against its ETag and checksums. */
  readonly deep: boolean
  /** With `deep`: bytes that are read in a second at most; 0 or absent: no limit. */
  readonly bytesPerSecond?: number | undefined
  /** FSCK_ROUND_BLOBS_MAX by default. */
  readonly roundBlobsMax?: number
}

/** Something that could not be looked at. */
export interface Blind {
  /** Node, bucket or group, with its name. */
  readonly what: string
  readonly why: string
}

export class FsckContext {
  readonly world: FsckWorld
  readonly options: FsckOptions
  readonly signal: AbortSignal
  readonly counts: Counts = noCounts()
  /** In order of being found; the last word on each is said by a second look. */
  readonly tell: (finding: Finding) => void
  /** Nodes that could not be listed, by name. */
  readonly silent = new Map<string, string>()
  readonly blind: Blind[] = []
  readonly reading: Reading
  #view: WorkView | undefined

  constructor(world: FsckWorld, options: FsckOptions, signal: AbortSignal, tell: (finding: Finding) => void) {
    this.world = world
    this.options = options
    this.signal = signal
    this.tell = tell
    this.reading = new Reading(world.clock, options.bytesPerSecond ?? 0)
  }

  /** The cluster as it is now. @throws {MetadataError} */
  async look(): Promise<WorkView> {
    const known = this.#view
    const request = { knownEpoch: BigInt(known?.epoch ?? 0) }
    const reply = await askMetadata(this.world, this.signal, 'getCluster', request)
    // Left out where it has not changed.
    const map = reply.map ?? known?.map
    if (map === undefined) throw new Error('metadata has no cluster map')
    this.#view = new WorkView(map, reply.nodes, known)
    return this.#view
  }

  /** Something of it could not be looked at, which is told once. */
  missed(what: string, error: unknown): void {
    if (this.blind.some((one) => one.what === what)) return
    this.blind.push({ what, why: error instanceof Error ? error.message : String(error) })
  }

  /** Nodes that can be asked. */
  nodesOf(view: WorkView): string[] {
    return [...view.nodes.values()].filter(({ id, up }) => up && !this.silent.has(id)).map(({ id }) => id)
  }

  /** Whether the filters let something of this place through. */
  covers(place: { readonly bucket?: string; readonly key?: string } | undefined): boolean {
    const { bucket, prefix = '' } = this.options
    if (bucket === undefined && prefix === '') return true
    if (place === undefined) return false
    return (bucket === undefined || place.bucket === bucket) && (place.key ?? '').startsWith(prefix)
  }
}
