/** Every blob that nodes have, as its shards tell of it, for rebuilding metadata. */

import { parseCode, type Code } from '../../core/erasure/code.ts'
import { stripeCount } from '../../core/erasure/layout.ts'
import { isReadable } from '../../core/erasure/repair.ts'
import { FSCK_WINDOW_BLOBS, FSCK_WINDOW_SHARDS } from '../../core/limits.ts'
import { relocationsOf, type Relocation } from '../../core/placement/relocation.ts'
import type { ShardAddress } from '../../proto/shard-transport.ts'
import type { ListedBlob, Place } from '../blob/identify.ts'
import { lastOf } from '../blob/list.ts'
import type { WorkGroup, WorkView } from '../cluster/view.ts'
import { ListFailure, mergeLists } from '../groups/merge.ts'
import { sameOwner, type DescribedShard } from './compare.ts'
import { FsckContext, type Blind, type FsckWorld } from './context.ts'
import { describeAll, type DescribedBlob } from './looks.ts'

export interface GatheredBlob {
  readonly place: Place
  readonly group: number
  readonly code: string
  readonly size: number
  /** Shards that are not on their slots' nodes. Those that were not found count as being there: repair looks for them. */
  readonly relocations: readonly Relocation[]
  /** Enough shards were found to read it. */
  readonly readable: boolean
}

export interface Gathered {
  readonly shards: number
  readonly blobs: number
  /** Blobs that cannot be rebuilt: no shard says whose they are, or what one says makes no sense. */
  readonly unowned: number
  readonly blind: readonly Blind[]
}

/**
 * Goes over all groups of the map.
 * @param world its metadata answers `getCluster` with a map by which shards lie, and no more
 * @throws the signal's reason, or what `take` throws
 */
export async function gatherBlobs(
  world: FsckWorld,
  signal: AbortSignal,
  take: (blobs: readonly GatheredBlob[]) => Promise<void>,
  onGroup: (done: number, of: number, blobs: number) => void = () => undefined,
): Promise<Gathered> {
  const context = new FsckContext(world, { deep: false }, signal, () => undefined)
  const view = await context.look()
  const gathering = new Gathering(context, view, take)
  const groups = [...view.groups.values()]
  for (const [index, group] of groups.entries()) {
    onGroup(index, groups.length, gathering.blobs)
    await gathering.group(group)
  }
  const { shards, blobs, unowned } = gathering
  const blind = [...context.silent].map(([node, why]) => ({ what: `node ${node}`, why }))
  return { shards, blobs, unowned, blind }
}

class Gathering {
  shards = 0
  blobs = 0
  unowned = 0
  readonly #context: FsckContext
  readonly #view: WorkView
  readonly #take: (blobs: readonly GatheredBlob[]) => Promise<void>

  constructor(context: FsckContext, view: WorkView, take: (blobs: readonly GatheredBlob[]) => Promise<void>) {
    this.#context = context
    this.#view = view
    this.#take = take
  }

  async group(group: WorkGroup): Promise<void> {
    const { world, signal, silent } = this.#context
    let after: ShardAddress | undefined
    for (;;) {
      let window: ListedBlob[] = []
      let shards = 0
      const treat = async (): Promise<void> => {
        await this.#window(group, window)
        const last = window.at(-1)?.blob
        if (last !== undefined) after = lastOf(group.id, last)
        window = []
        shards = 0
      }
      try {
        const nodes = this.#context.nodesOf(this.#view)
        // No epoch: the nodes know the lost map's, which is not to be gone behind.
        const lists = { nodes, group: group.id, after, signal }
        for await (const blob of mergeLists(world, lists)) {
          window.push(blob)
          shards += blob.held.length
          if (window.length >= FSCK_WINDOW_BLOBS || shards >= FSCK_WINDOW_SHARDS) await treat()
        }
        await treat()
        return
      } catch (error) {
        if (!(error instanceof ListFailure)) throw error
        silent.set(error.node, error.cause instanceof Error ? error.cause.message : error.message)
      }
    }
  }

  async #window(group: WorkGroup, window: readonly ListedBlob[]): Promise<void> {
    const described = await describeAll(this.#context, group.id, window)
    const gathered: GatheredBlob[] = []
    for (const blob of described) {
      this.blobs++
      this.shards += blob.held.length
      const one = gatheredOf(group, blob)
      if (one === undefined) this.unowned++
      else gathered.push(one)
    }
    if (gathered.length > 0) await this.#take(gathered)
  }
}

/** Undefined where no shard can be understood. */
function gatheredOf(group: WorkGroup, { held, places }: DescribedBlob): GatheredBlob | undefined {
  const [place] = places
  if (place === undefined) return undefined
  const honest = held.filter(
    ({ owner, damaged }) => !damaged && owner !== undefined && sameOwner(owner, place),
  )
  // What shards say of the size is exact in the last stripe.
  const last = honest.reduce<DescribedShard | undefined>(
    (best, one) => (best === undefined || one.stripe > best.stripe ? one : best),
    undefined,
  )
  // All that is there may be damaged: then one of those tells.
  const owner = (last ?? held.find((one) => one.owner !== undefined))?.owner
  if (owner === undefined) return undefined
  const code = codeOf(owner.code)
  if (code === undefined || owner.blobBytes < 1) return undefined
  const stripes = stripeCount(code, owner.blobBytes)
  const slots = group.slots.map(({ node }) => node)
  const stored: (string | undefined)[][] = Array.from({ length: stripes }, () => [])
  for (const { node, stripe, shard } of honest) {
    const ofStripe = stored[stripe]
    if (ofStripe === undefined || shard >= code.total) continue
    if (ofStripe[shard] === undefined || node === slots[shard]) ofStripe[shard] = node
  }
  const readable = stored.every((ofStripe) => isReadable(code, lostOf(code, ofStripe)))
  const asFound = stored.map((ofStripe) => slots.map((slot, shard) => ofStripe[shard] ?? slot))
  return {
    place,
    group: group.id,
    code: code.name,
    size: owner.blobBytes,
    relocations: relocationsOf(slots, asFound),
    readable,
  }
}

function lostOf(code: Code, stored: readonly (string | undefined)[]): number[] {
  return Array.from({ length: code.total }, (_, shard) => shard).filter(
    (shard) => stored[shard] === undefined,
  )
}

function codeOf(name: string): Code | undefined {
  try {
    return parseCode(name)
  } catch {
    return undefined
  }
}
