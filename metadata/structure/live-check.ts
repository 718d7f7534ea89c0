import { FSCK_SECOND_LOOK_MS, FSCK_SNAPSHOTS_MAX, FSCK_SUSPECTS_MAX } from '../../core/limits.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { unknownSpace, spaceTable } from '../backup/spaces.ts'
import { ClusterRecords } from './cluster-records.ts'
import { type Fault, type FaultPlace, ToldFaults } from './faults.ts'
import { keySpaces, type KeyScope, KeyWalk } from './keys.ts'
import { LiveRecords, SnapshotGoneError } from './live-records.ts'

export interface LiveCheckRequest {
  readonly api: MetadataApi
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Only what is of this bucket. */
  readonly bucket?: string | undefined
  /** With a bucket: only keys that begin so. */
  readonly prefix?: string | undefined
  /** FSCK_SUSPECTS_MAX by default. */
  readonly suspectsMax?: number
  readonly onFault: (fault: Fault) => void
  /** @param of roughly; 0: nobody knows */
  readonly onProgress?: (bytes: number, of: number) => void
}

/** What could not be looked at. */
export interface Unseen {
  readonly what: string
  readonly why: string
}

/**
 * Holds the records of a running cluster against each other. Every look is at a snapshot of one moment, or nearly so where there are
 * several engines; what seems wrong is told only if a second look, at a later snapshot, sees it too. So what is written meanwhile
 * is no fault. Where a snapshot is let go, the check goes on with another where it was.
 *
 * @throws {MetadataError} metadata cannot be reached, or has no room for a snapshot
 * @throws the signal's reason
 */
export async function checkLiveRecords(request: LiveCheckRequest): Promise<readonly Unseen[]> {
  return await new LiveCheck(request).run()
}

/** Where a walk is. */
interface Reached {
  readonly engine: string
  readonly position: Position
}

class LiveCheck {
  readonly #request: LiveCheckRequest
  #suspects: Fault[] = []
  readonly #unseen: Unseen[] = []
  /** What was found under the key that is being looked at. */
  #found: Fault[] = []
  #reached: Reached | undefined
  #bytes = 0

  constructor(request: LiveCheckRequest) {
    this.#request = request
  }

  async run(): Promise<readonly Unseen[]> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#reached
      try {
        await this.#walk(before)
        break
      } catch (error) {
        if (!(error instanceof SnapshotGoneError)) throw error
        this.#found = []
        if (before !== this.#reached) attempt = 0
        if (attempt < FSCK_SNAPSHOTS_MAX) continue
        const at = this.#reached?.position
        const where = at === undefined ? 'metadata' : `the keys from ${at.bucket}/${at.key} on`
        this.#unseen.push({ what: where, why: error.message })
        break
      }
    }
    await this.#settle()
    return this.#unseen
  }

  /** @param from where another walk was cut short: what is before it was looked at */
  async #walk(from: Reached | undefined): Promise<void> {
    const { api, signal, onProgress } = this.#request
    let about = 0
    const source = await LiveRecords.open(api, signal, (bytes) => {
      this.#bytes += bytes
      onProgress?.(this.#bytes, about)
    })
    about = source.bytes
    try {
      const faults = new ToldFaults((fault) => {
        this.#found.push(fault)
      })
      const quiet = new ToldFaults(() => undefined)
      const cluster = await readCluster(source, from === undefined ? faults : quiet)
      if (from === undefined) this.#notSeen(cluster)
      await this.#take()
      const walk = new KeyWalk(source, cluster, faults, (engine, position) => {
        const settled = this.#take()
        this.#reached = { engine: source.engines[engine] ?? '', position }
        return settled
      })
      const first = from === undefined ? 0 : source.engines.indexOf(from.engine)
      for (let engine = Math.max(0, first); engine < source.engines.length; engine++) {
        const goesOn = engine === first && from !== undefined
        await walk.engine(engine, goesOn ? { ...this.#scope(), from: from.position } : this.#scope())
        await this.#take()
      }
    } finally {
      await source.close()
    }
  }

  #notSeen(cluster: ClusterRecords): void {
    for (const id of cluster.layout()?.unreached ?? []) {
      const why = 'the metadata process that coordinates does not reach it'
      this.#unseen.push({ what: `engine ${id}`, why })
    }
    if (cluster.garbage.complete) return
    const why = 'so much of it waits that records were held against a part of it only'
    this.#unseen.push({ what: 'garbage', why })
  }

  #scope(): KeyScope {
    const { bucket, prefix } = this.#request
    return { ...(bucket === undefined ? {} : { bucket }), ...(prefix === undefined ? {} : { prefix }) }
  }

  /** What was found under the key before is suspected from now on. */
  #take(): Promise<void> | undefined {
    for (const fault of this.#found) if (this.#covers(fault.place)) this.#suspects.push(fault)
    this.#found = []
    const { suspectsMax = FSCK_SUSPECTS_MAX } = this.#request
    return this.#suspects.length >= suspectsMax ? this.#settle() : undefined
  }

  #covers(place: FaultPlace): boolean {
    const { bucket, prefix = '' } = this.#request
    if (bucket === undefined) return true
    return place.bucket === bucket && (place.key ?? '').startsWith(prefix)
  }

  /** Looks at all that is suspected once more, and tells what it still sees. */
  async #settle(): Promise<void> {
    if (this.#suspects.length === 0) return
    const { clock, signal, onFault } = this.#request
    const suspects = this.#suspects
    this.#suspects = []
    await clock.sleep(FSCK_SECOND_LOOK_MS, signal)
    const seen = await this.#lookAgain(suspects.map(({ place }) => place))
    for (const fault of suspects) if (seen.has(nameOf(fault))) onFault(fault)
  }

  /** What there is to be said of these places now, by its name. */
  async #lookAgain(places: readonly FaultPlace[]): Promise<ReadonlySet<string>> {
    const { api, signal } = this.#request
    const seen = new Set<string>()
    const faults = new ToldFaults((fault) => {
      seen.add(nameOf(fault))
    })
    const keys = new Map(
      places.flatMap(({ bucket, key }) =>
        bucket === undefined || key === undefined ? [] : [[`${bucket}/${key}`, { bucket, key }] as const],
      ),
    )
    const left = [...keys.values()]
    for (let attempt = 1; ; attempt++) {
      const source = await LiveRecords.open(api, signal)
      const before = left.length
      try {
        const cluster = await readCluster(source, faults)
        for (let scope = left.at(-1); scope !== undefined; scope = left.at(-1)) {
          for (const engine of source.engines.keys()) {
            // A walk says some things once.
            await new KeyWalk(source, cluster, faults).engine(engine, scope)
          }
          left.pop()
        }
        return seen
      } catch (error) {
        if (!(error instanceof SnapshotGoneError)) throw error
        if (left.length < before) attempt = 0
        if (attempt < FSCK_SNAPSHOTS_MAX) continue
        this.#unseen.push({ what: `${places.length} places that seemed wrong`, why: error.message })
        return seen
      } finally {
        await source.close()
      }
    }
  }
}

/** All that is of no key. */
async function readCluster(source: LiveRecords, faults: ToldFaults): Promise<ClusterRecords> {
  const cluster = new ClusterRecords(source.engines, faults)
  for (const engine of source.engines.keys()) {
    for (const space of await source.spaces(engine)) {
      if (keySpaces.has(space)) continue
      if (!spaceTable.has(space)) faults.add('record', unknownSpace(space))
      for await (const entries of source.pages(engine, space)) cluster.add(engine, space, entries)
    }
  }
  cluster.end()
  return cluster
}

/** The same for what is the same a moment later, though it may say other numbers. */
function nameOf({ kind, place }: Fault): string {
  return JSON.stringify([kind, place])
}
