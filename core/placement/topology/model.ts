/** The cluster map as topology planning sees it: plain values, made from and into protobuf at metadata's edge. */

export type MemberState = 'active' | 'draining' | 'lost'

export interface TopologyZone {
  readonly id: string
  readonly state: 'active' | 'draining'
}

export interface TopologyNode {
  readonly id: string
  readonly zone: string
  /** Relative capacity, > 0. */
  readonly weight: number
  readonly state: MemberState
}

/**
 * - `{node, source: '', filling: false}`: all of the slot's shards are on the node.
 * - `{node, source, filling: true}`: it moves; writes go to the node, and the source has what was there before.
 * - `{node, source: '', filling: true}`: the same, but what was there before is lost and has to be reconstructed.
 */
export interface TopologySlot {
  readonly node: string
  readonly source: string
  readonly filling: boolean
  /** Epoch of the change that made it so; absent: it never changed. */
  readonly since?: number
}

export interface TopologyGroup {
  readonly id: number
  readonly slots: readonly TopologySlot[]
}

export interface TopologyPool {
  readonly id: number
  readonly name: string
  readonly code: string
  readonly storageClass: string
  /** Bytes; 0: no limit. */
  readonly objectBytesMax: number
  readonly state: 'active' | 'retiring'
  readonly groups: readonly TopologyGroup[]
}

export interface TopologyMap {
  readonly epoch: number
  /** The highest id that a pool ever had: ids are never given twice, for shards carry them. */
  readonly poolIdMax: number
  readonly zones: readonly TopologyZone[]
  readonly nodes: readonly TopologyNode[]
  readonly pools: readonly TopologyPool[]
}

/** What is known of a node beside the map. */
export interface NodeFacts {
  /** `unknown`: metadata has not listened for long enough to say. */
  readonly liveness: 'up' | 'down' | 'unknown'
  /** Takes writes, as it said last. */
  readonly writable: boolean
  /** Live shards it said it holds; undefined where it was never heard. */
  readonly shards: number | undefined
}

export interface TopologyContext {
  /** Make a change that lowers redundancy. */
  readonly force: boolean
  /** By node id; a node that is not there is unknown. */
  readonly facts: ReadonlyMap<string, NodeFacts>
  /** Blobs counted in a pool, by pool id; absent: none. */
  readonly blobs: ReadonlyMap<number, number>
  /** Nodes that have not said what they hold, so that it is not counted. */
  readonly silent: readonly string[]
}

export interface SlotMove {
  readonly group: number
  readonly shard: number
  readonly from: string
  readonly to: string
}

/** The change would break a rule; the message says which, and what would help. Nothing was changed. */
export class TopologyRefused extends Error {
  override readonly name = 'TopologyRefused'
}

export interface FinishedSlot {
  readonly group: number
  readonly shard: number
  readonly node: string
  readonly source: string
  /** Of the slot that was looked at. */
  readonly since?: number
}

export type TopologyChange =
  | { readonly kind: 'add-node'; readonly id: string; readonly zone: string; readonly weight: number }
  | {
      readonly kind: 'change-node'
      readonly id: string
      readonly state?: MemberState
      readonly weight?: number
      readonly remove?: boolean
    }
  | {
      readonly kind: 'change-zone'
      readonly id: string
      readonly state?: MemberState
      readonly add?: boolean
      readonly remove?: boolean
    }
  | { readonly kind: 'change-pool'; readonly name: string; readonly code: string; readonly groups: number }
  | { readonly kind: 'remove-pool'; readonly pool: number }
  | { readonly kind: 'finish-slots'; readonly slots: readonly FinishedSlot[] }
  | { readonly kind: 'rebalance' }
  /** The slots of nodes that have been down for too long; what failure detection asks for. */
  | { readonly kind: 'substitute'; readonly nodes: readonly string[] }
  /** Makes the spread of groups better with the help of these nodes, and nothing else: after substitutions, mostly. */
  | { readonly kind: 'spread'; readonly nodes: readonly string[] }

export interface TopologyResult {
  /** The very map that was given when nothing changed. */
  readonly map: TopologyMap
  readonly moves: readonly SlotMove[]
  readonly warnings: readonly string[]
}
