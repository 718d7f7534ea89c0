/** Which placement groups there are, and where their shards lie, when no map says so. */

import {
  FSCK_REQUESTS_IN_FLIGHT_MAX,
  PLACEMENT_GROUPS_PER_POOL,
  REBUILD_POOLS_EMPTY_MAX,
  SHARD_DESCRIBE_MAX,
  SHARD_LIST_MAX,
} from '../../core/limits.ts'
import { groupId, GROUPS_PER_POOL_MAX } from '../../core/placement/group.ts'
import type { ListedShard, ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { eachOf, inTime } from '../blob/context.ts'

/** A group as a sample of its shards shows it: the first that each node lists. */
export interface SurveyedGroup {
  readonly id: number
  readonly code: string
  readonly blobBytesMax: number
  readonly votes: readonly { readonly shard: number; readonly node: string; readonly count: number }[]
}

export interface SurveyWorld {
  readonly shards: ShardTransport
  readonly clock: Clock
}

export interface Survey {
  readonly groups: readonly SurveyedGroup[]
  /** Nodes that do not answer, and why. */
  readonly silent: ReadonlyMap<string, string>
}

/** Asks all nodes. @throws the signal's reason */
export async function surveyNodes(
  world: SurveyWorld,
  nodes: readonly string[],
  signal: AbortSignal,
): Promise<Survey> {
  const asking = new Asking(world, nodes, signal)
  const groups: SurveyedGroup[] = []
  let empty = 0
  for (let pool = 1; empty < REBUILD_POOLS_EMPTY_MAX; pool++) {
    const found = await asking.pool(pool)
    groups.push(...found)
    empty = found.length === 0 ? empty + 1 : 0
  }
  return { groups, silent: asking.silent }
}

class Asking {
  readonly silent = new Map<string, string>()
  readonly #world: SurveyWorld
  readonly #nodes: readonly string[]
  readonly #signal: AbortSignal

  constructor(world: SurveyWorld, nodes: readonly string[], signal: AbortSignal) {
    this.#world = world
    this.#nodes = nodes
    this.#signal = signal
  }

  /** The groups of a pool of which some node has shards. One that has many is looked through further. */
  async pool(pool: number): Promise<SurveyedGroup[]> {
    const found: SurveyedGroup[] = []
    let from = 0
    let to = PLACEMENT_GROUPS_PER_POOL
    for (;;) {
      const indexes = Array.from({ length: to - from }, (_, i) => from + i)
      const before = found.length
      await eachOf(indexes, FSCK_REQUESTS_IN_FLIGHT_MAX, async (index) => {
        const group = await this.#group(groupId(pool, index))
        if (group !== undefined) found.push(group)
      })
      if (found.length === before || to >= GROUPS_PER_POOL_MAX) return found.toSorted((a, b) => a.id - b.id)
      from = to
      to = Math.min(2 * to, GROUPS_PER_POOL_MAX)
    }
  }

  async #group(id: number): Promise<SurveyedGroup | undefined> {
    const votes: { shard: number; node: string; count: number }[] = []
    let code: string | undefined
    let blobBytesMax = 0
    for (const node of this.#nodes) {
      const listed = await this.#list(node, id)
      if (listed.length === 0) continue
      const counts = Map.groupBy(listed, ({ address }) => address.shard)
      for (const [shard, all] of counts) votes.push({ shard, node, count: all.length })
      const owners = await this.#describe(node, listed)
      for (const { code: name, blobBytes } of owners) {
        code ??= name
        blobBytesMax = Math.max(blobBytesMax, blobBytes)
      }
    }
    return code === undefined ? undefined : { id, code, blobBytesMax, votes }
  }

  async #list(node: string, group: number): Promise<readonly ListedShard[]> {
    const { shards } = await this.#ask(node, { shards: [], truncated: false }, (signal) =>
      this.#world.shards.node(node).list({ group, limit: SHARD_LIST_MAX }, signal),
    )
    return shards
  }

  async #describe(node: string, listed: readonly ListedShard[]) {
    const addresses = listed.slice(0, SHARD_DESCRIBE_MAX).map(({ address }) => address)
    const said = await this.#ask(node, [], (signal) =>
      this.#world.shards.node(node).describe(addresses, signal),
    )
    return said.flatMap((one) => (one === undefined ? [] : [one.owner]))
  }

  /** A node that failed is not asked again. */
  async #ask<T>(node: string, otherwise: T, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.silent.has(node)) return otherwise
    try {
      return await inTime(this.#world.clock, this.#signal, ask)
    } catch (error) {
      this.#signal.throwIfAborted()
      this.silent.set(node, error instanceof Error ? error.message : String(error))
      return otherwise
    }
  }
}
