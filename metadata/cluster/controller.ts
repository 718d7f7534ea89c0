import { NODE_FLAP_MS, NODE_LOOK_MS } from '../../core/limits.ts'
import {
  type FailureHistory,
  judge,
  observe,
  settled,
  type Sighting,
} from '../../core/placement/topology/failure.ts'
import { type ClusterMap, MemberState, NodeCondition } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Room } from '../room.ts'
import type { Cluster } from './cluster.ts'

export interface ControllerOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly log: Log
  /** Time down after which a node's slots go to others. */
  readonly nodeGraceMs: number
  /** Undefined where there is no disk to fill. */
  readonly room: Room | undefined
}

/**
 * Looks every second at who is down, and has the slots of nodes that have been down for too long given to others of their
 * zone. The node stays their source, for it may come back with all it has; should it, nothing moves back by itself.
 */
export class Controller {
  readonly #options: ControllerOptions
  #history: FailureHistory = new Map()
  #lookedAt: number
  #cancel: (() => void) | undefined
  #looking: Promise<void> = Promise.resolve()
  #closed = false
  /** What the last attempt went by; the same again would come to the same. */
  #tried = ''
  #held = ''
  #filling: { map: ClusterMap; nodes: ReadonlySet<string> } | undefined

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#lookedAt = options.clock.monotonicMs()
    this.#schedule()
  }

  /** Waits for what it is at. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancel?.()
    await this.#looking
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(NODE_LOOK_MS, () => {
      this.#looking = this.#look().finally(() => {
        this.#schedule()
      })
    })
  }

  async #look(): Promise<void> {
    const { cluster, clock, log, nodeGraceMs } = this.#options
    const { map } = cluster
    const now = clock.monotonicMs()
    const rules = { graceMs: nodeGraceMs, flapMs: NODE_FLAP_MS }
    const nodes = this.#sightings()
    this.#history = observe(this.#history, nodes, now - this.#lookedAt, rules)
    this.#lookedAt = now
    const { substitute, held } = judge(this.#history, nodes, this.#fillingFor(map), rules)
    if (held !== '' && held !== this.#held) {
      log.warn('nodes that are away are not substituted', { reason: held })
    }
    this.#held = held
    const ready = settled(this.#history, rules)
    const attempt = [map.epoch, ...substitute, '', ...this.#takers(), '', ...ready].join(' ')
    if (attempt === this.#tried) return
    try {
      await this.#options.room?.requireMore()
      if (substitute.length > 0) await this.#substitute(substitute)
      if (ready.length > 0) await this.#spread(ready)
      this.#tried = attempt
    } catch (error) {
      // It is tried again with the next look.
      log.error('slots could not be given to other nodes', { error: String(error) })
    }
  }

  async #substitute(nodes: readonly string[]): Promise<void> {
    const { cluster, log } = this.#options
    const { map, moves } = await cluster.change({ kind: 'substitute', nodes })
    if (moves.length === 0) return
    log.warn('slots of nodes that are away went to others', {
      nodes,
      slots: moves.length,
      epoch: Number(map?.epoch),
    })
  }

  /** What substitutes hold beside shards of their own goes to nodes that are back; lost slots to nodes that can take them now. */
  async #spread(nodes: readonly string[]): Promise<void> {
    const { cluster, log } = this.#options
    const { map, moves } = await cluster.change({ kind: 'spread', nodes })
    if (moves.length === 0) return
    log.info('slots went to nodes that can take them again', {
      slots: moves.length,
      epoch: Number(map?.epoch),
    })
  }

  #sightings(): Sighting[] {
    const { liveness, map } = this.#options.cluster
    const { unsure } = liveness
    return map.nodes
      .filter(({ state }) => state !== MemberState.LOST)
      .map(({ id, zone }) => ({
        id,
        zone,
        liveness: liveness.of(id).up ? 'up' : unsure ? 'unknown' : 'down',
      }))
  }

  /** Nodes that could take slots. */
  #takers(): string[] {
    const { liveness, map } = this.#options.cluster
    return map.nodes
      .map(({ id }) => liveness.of(id))
      .filter(({ up, condition }) => up && condition !== NodeCondition.READ_ONLY)
      .map(({ node }) => node)
  }

  /** Nodes whose shards are being brought to others. */
  #fillingFor(map: ClusterMap): ReadonlySet<string> {
    if (this.#filling?.map === map) return this.#filling.nodes
    const nodes = new Set<string>()
    for (const { groups } of map.pools) {
      for (const { slots } of groups) for (const { source } of slots) nodes.add(source)
    }
    this.#filling = { map, nodes }
    return nodes
  }
}
