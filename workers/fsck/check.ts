/**
 * Holds metadata against the shards of all nodes, both ways. In rounds: the blobs of a stretch of placement groups are gone
 * through as nodes list them, and each is held against its record; then all records are walked over, and those whose blobs
 * lie in the stretch and were on no node are found. So memory is bounded however much there is.
 */

import { FSCK_ROUND_BLOBS_MAX, FSCK_WINDOW_BLOBS, FSCK_WINDOW_SHARDS } from '../../core/limits.ts'
import { BlobState } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { ListedBlob } from '../blob/identify.ts'
import { lastOf } from '../blob/list.ts'
import type { WorkView } from '../cluster/view.ts'
import { ListFailure, mergeLists } from '../groups/merge.ts'
import { compareLive } from './compare.ts'
import { FsckContext, type Blind, type FsckOptions, type FsckWorld } from './context.ts'
import { readShards, type ObjectReader } from './deep.ts'
import type { Counts, Finding } from './finding.ts'
import { groupsToCheck } from './groups.ts'
import { IdSet } from './id-set.ts'
import { describeAll, isLive, resolveBlobs, type DescribedBlob, type Resolution } from './looks.ts'
import { walkRecords } from './records.ts'
import type { ReadingProgress } from './reading.ts'
import { Suspects } from './suspects.ts'

export interface FsckProgress {
  readonly groupsDone: number
  readonly groups: number
  readonly counts: Readonly<Counts>
  /** With `deep`. */
  readonly reading?: ReadingProgress
}

export interface FsckResult {
  readonly counts: Readonly<Counts>
  /** What could not be looked at: of that, nothing is said. */
  readonly blind: readonly Blind[]
}

export interface FsckRequest extends FsckOptions {
  readonly signal: AbortSignal
  /** With `deep`: reads objects. */
  readonly reader?: ObjectReader
  readonly onFinding: (finding: Finding) => void
  readonly onProgress?: (progress: FsckProgress) => void
}

/** @throws {MetadataError} metadata cannot be reached, or the signal's reason */
export async function checkCluster(world: FsckWorld, request: FsckRequest): Promise<FsckResult> {
  const { signal, onFinding, onProgress, reader, ...options } = request
  const context = new FsckContext(world, options, signal, onFinding)
  const view = await context.look()
  const groups = await groupsToCheck(context, view)
  const check = new Check(context, view, groups, reader, (groupsDone) => {
    const { counts, reading } = context
    const share = groups.length === 0 ? 1 : groupsDone / groups.length
    const deep = options.deep ? { reading: reading.progress(share) } : {}
    onProgress?.({ groupsDone, groups: groups.length, counts, ...deep })
  })
  await check.run()
  return { counts: context.counts, blind: blindOf(context, view) }
}

function blindOf({ silent, blind }: FsckContext, view: WorkView): Blind[] {
  const nodes = [...view.nodes.values()].flatMap(({ id, up, lost }) => {
    if (lost) return []
    const why = silent.get(id) ?? (up ? undefined : 'it is down')
    return why === undefined ? [] : [{ what: `node ${id}`, why }]
  })
  return [...nodes, ...blind]
}

/** How far a round has come: up to this blob of this group, both included. */
interface Reached {
  readonly group: number
  /** Undefined: all of it. */
  readonly blob: string | undefined
}

class Check {
  readonly #context: FsckContext
  #view: WorkView
  readonly #groups: readonly number[]
  readonly #reader: ObjectReader | undefined
  readonly #progress: (groupsDone: number) => void
  readonly #suspects: Suspects
  #groupsDone = 0
  #seen = new IdSet()

  constructor(
    context: FsckContext,
    view: WorkView,
    groups: readonly number[],
    reader: ObjectReader | undefined,
    progress: (groupsDone: number) => void,
  ) {
    this.#context = context
    this.#view = view
    this.#groups = groups
    this.#reader = reader
    this.#progress = progress
    this.#suspects = new Suspects(context)
  }

  async run(): Promise<void> {
    const roundMax = this.#context.options.roundBlobsMax ?? FSCK_ROUND_BLOBS_MAX
    let from: Reached = { group: Number.NEGATIVE_INFINITY, blob: undefined }
    let first = true
    for (const [index, group] of this.#groups.entries()) {
      this.#groupsDone = index
      this.#progress(index)
      let after: ShardAddress | undefined
      for (;;) {
        const stopped = await this.#group(group, after, roundMax)
        if (stopped === undefined) break
        const to = { group, blob: stopped }
        await this.#records(from, to, first)
        from = to
        first = false
        after = lastOf(group, stopped)
        this.#seen = new IdSet()
      }
    }
    this.#groupsDone = this.#groups.length
    this.#progress(this.#groupsDone)
    await this.#records(from, { group: Number.POSITIVE_INFINITY, blob: undefined }, first)
    await this.#suspects.settle()
    this.#progress(this.#groupsDone)
  }

  /** Goes over the blobs of a group after that address. Resolves to the last one, where a round ended before the group. */
  async #group(
    group: number,
    start: ShardAddress | undefined,
    roundMax: number,
  ): Promise<string | undefined> {
    const { world, signal, silent } = this.#context
    let after = start
    for (;;) {
      this.#view = await this.#context.look()
      const nodes = this.#context.nodesOf(this.#view)
      const listed = new Set(nodes)
      const lists = { nodes, group, epoch: this.#view.epoch, after, signal }
      let window: ListedBlob[] = []
      let shards = 0
      const treat = async (): Promise<void> => {
        await this.#window(group, window, listed)
        const last = window.at(-1)?.blob
        if (last !== undefined) after = lastOf(group, last)
        window = []
        shards = 0
      }
      try {
        for await (const blob of mergeLists(world, lists)) {
          window.push(blob)
          shards += blob.held.length
          const full = this.#seen.size + window.length >= roundMax
          if (full || window.length >= FSCK_WINDOW_BLOBS || shards >= FSCK_WINDOW_SHARDS) await treat()
          if (full) return after?.blob
        }
        await treat()
        return undefined
      } catch (error) {
        if (!(error instanceof ListFailure)) throw error
        // What was in the window is listed again, without that node.
        silent.set(error.node, error.cause instanceof Error ? error.cause.message : error.message)
      }
    }
  }

  async #window(group: number, window: readonly ListedBlob[], listed: ReadonlySet<string>): Promise<void> {
    if (window.length === 0) return
    const blobs = await describeAll(this.#context, group, window)
    const resolved = await resolveBlobs(this.#context, blobs)
    for (const [i, blob] of blobs.entries()) {
      this.#seen.add(blob.blob)
      if (this.#context.covers(resolved[i]?.place)) this.#count(blob, resolved[i]?.resolution)
      await this.#compare(blob, resolved[i], listed)
    }
    if (!this.#context.options.deep) return
    const covered = blobs.filter((_, i) => this.#context.covers(resolved[i]?.place))
    await readShards(this.#context, covered)
    this.#progress(this.#groupsDone)
  }

  #count({ held }: DescribedBlob, resolution: Resolution | undefined): void {
    const { counts, reading } = this.#context
    const shardBytes = held.reduce((sum, { bytes }) => sum + bytes, 0)
    counts.nodeBlobs++
    counts.shards += held.length
    counts.shardBytes += shardBytes
    const live = resolution !== undefined && isLive(resolution)
    reading.saw(shardBytes, live ? Number(resolution.blob?.size ?? 0n) : 0)
  }

  async #compare(
    blob: DescribedBlob,
    resolved: Awaited<ReturnType<typeof resolveBlobs>>[number],
    listed: ReadonlySet<string>,
  ): Promise<void> {
    const { counts } = this.#context
    if (!this.#context.covers(resolved?.place) && resolved !== undefined) return
    const { group, held } = blob
    const suspect = { group, blob: blob.blob }
    const resolution = resolved?.resolution
    if (resolved === undefined || resolution === undefined || resolution instanceof MetadataError) {
      await this.#suspects.add(suspect)
      return
    }
    if (isLive(resolution) && resolution.blob !== undefined) {
      const { place } = resolved
      const look = { place, record: resolution.blob, group, held, listed, view: this.#view }
      const { findings, unseen } = compareLive(look)
      counts.unseenShards += unseen
      if (findings.length > 0) await this.#suspects.add({ ...suspect, place })
      return
    }
    if (resolution.state === BlobState.ORPHAN) await this.#suspects.add(suspect)
    else counts.young++
  }

  /** Finds records of blobs of that stretch that no node has. */
  async #records(from: Reached, to: Reached, first: boolean): Promise<void> {
    const seen = this.#seen
    const reader = first && this.#context.options.deep ? this.#reader : undefined
    await walkRecords(this.#context, first, {
      blobs: async (blobs) => {
        for (const { place, blob } of blobs) {
          const { id, group } = blob
          if (!isWithin(from, to, group, id) || seen.has(id)) continue
          await this.#suspects.add({ group, blob: id, place })
        }
      },
      ...(reader === undefined
        ? {}
        : {
            object: async (object, parts) => {
              await reader.verify(this.#context, object, parts)
              this.#progress(this.#groupsDone)
            },
          }),
    })
  }
}

function isWithin(from: Reached, to: Reached, group: number, blob: string): boolean {
  return isBehind(from, group, blob) && !isBehind(to, group, blob)
}

function isBehind(reached: Reached, group: number, blob: string): boolean {
  if (group !== reached.group) return group > reached.group
  return reached.blob !== undefined && blob > reached.blob
}
