import { create } from '@bufbuild/protobuf'
import { FIRST_POSITION } from '../../core/keyspace/partitions.ts'
import { partitionMapKey } from '../../core/keyspace/keys.ts'
import {
  PARTITION_MAP_ATTEMPTS,
  PARTITION_MAP_CHANGES_KEPT,
  PARTITION_MAP_RETRY_MS,
} from '../../core/limits.ts'
import { type PartitionMap, PartitionMapSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import { type Engine, FencedError } from '../engine/engine.ts'
import { freeze } from '../freeze.ts'
import { decodeRecord, encodeRecord, partitionMapKind } from '../records.ts'

export interface PartitionMapPorts {
  readonly engine: Engine
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Kept {
  /** Frozen. */
  readonly map: PartitionMap
  /** What the engine holds. */
  readonly bytes: Uint8Array
}

/** What a plan makes of the map: fields that are others. @throws what the change is refused with */
export type MapPlan = (map: PartitionMap) => Partial<PartitionMap>

/**
 * The partition map on the coordination engine, as this process follows it. It is changed by comparing and setting the whole of it,
 * so that whoever changes it knew what was there.
 */
export class PartitionMaps {
  readonly #ports: PartitionMapPorts
  readonly #listeners = new Set<(map: PartitionMap) => void>()
  readonly #stopWatching: () => void
  #kept: Kept
  #reading: Promise<void> | undefined
  /** It was written again while it was read. */
  #again = false
  #cancelRetry: (() => void) | undefined
  #closed = false

  private constructor(ports: PartitionMapPorts, kept: Kept) {
    this.#ports = ports
    this.#kept = kept
    this.#stopWatching = ports.engine.watch(partitionMapKey, () => {
      this.#follow()
    })
  }

  /** Reads the map, or makes the first one, in which one partition has everything. @param engineId of the coordination engine */
  static async open(ports: PartitionMapPorts, engineId: string): Promise<PartitionMaps> {
    const kept = (await readMap(ports.engine)) ?? (await makeFirst(ports.engine, engineId))
    return new PartitionMaps(ports, kept)
  }

  /** As it was last seen. */
  get map(): PartitionMap {
    return this.#kept.map
  }

  /** Calls `listener` with every map that is newer than the one before. */
  onChange(listener: (map: PartitionMap) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads what the engine holds now. */
  async refresh(): Promise<PartitionMap> {
    const kept = await readMap(this.#ports.engine)
    if (kept !== undefined) this.#take(kept)
    return this.#kept.map
  }

  /**
   * Makes a change, planned anew by each map that turns out to be there. The version and the mark of the change are added.
   * @returns the map with the change
   * @throws what the plan throws, and what the engine does when it is not known whether the change was made
   */
  async change(plan: MapPlan): Promise<PartitionMap> {
    const mark = newIdentifier(this.#ports.clock, this.#ports.random)
    let unsure: unknown
    for (let attempt = 0; ; attempt++) {
      const before = (await readMap(this.#ports.engine)) ?? this.#kept
      this.#take(before)
      if (before.map.changes.includes(mark)) return before.map
      const next = planned(before.map, plan(before.map), mark)
      const bytes = encodeRecord(partitionMapKind, next)
      try {
        await this.#ports.engine.commit({
          fence: { key: partitionMapKey, token: before.bytes },
          puts: [{ key: partitionMapKey, value: bytes }],
          deletes: [],
        })
        this.#take({ map: freeze(next), bytes })
        return next
      } catch (error) {
        // Refused, somebody else was faster, or an earlier attempt of ours was made after all: its mark says so.
        if (!(error instanceof FencedError)) unsure = error
        if (attempt >= PARTITION_MAP_ATTEMPTS) throw unsure ?? error
        if (!(error instanceof FencedError)) await this.#ports.clock.sleep(PARTITION_MAP_RETRY_MS)
      }
    }
  }

  /** Follows it no more. */
  close(): void {
    this.#closed = true
    this.#stopWatching()
    this.#cancelRetry?.()
    this.#listeners.clear()
  }

  #follow(): void {
    if (this.#closed) return
    if (this.#reading !== undefined) {
      this.#again = true
      return
    }
    this.#again = false
    this.#reading = this.refresh().then(
      () => undefined,
      (error: unknown) => {
        this.#ports.log.debug('the partition map could not be read', { error })
        this.#cancelRetry = this.#ports.clock.after(PARTITION_MAP_RETRY_MS, () => {
          this.#follow()
        })
      },
    )
    void this.#reading.then(() => {
      this.#reading = undefined
      if (this.#again) this.#follow()
    })
  }

  #take(kept: Kept): void {
    if (kept.map.version <= this.#kept.map.version) return
    this.#kept = kept
    for (const listener of this.#listeners) listener(kept.map)
  }
}

function planned(before: PartitionMap, changed: Partial<PartitionMap>, mark: string): PartitionMap {
  const { $typeName: _, ...fields } = { ...before, ...changed }
  return create(PartitionMapSchema, {
    ...fields,
    version: before.version + 1n,
    changes: [...before.changes, mark].slice(-PARTITION_MAP_CHANGES_KEPT),
  })
}

async function readMap(engine: Engine): Promise<Kept | undefined> {
  const bytes = await engine.get(partitionMapKey)
  return bytes === undefined ? undefined : { map: freeze(decodeRecord(partitionMapKind, bytes)), bytes }
}

async function makeFirst(engine: Engine, engineId: string): Promise<Kept> {
  const map = create(PartitionMapSchema, {
    version: 1n,
    partitions: [{ id: 1n, start: FIRST_POSITION, engine: engineId, outboxes: [1n] }],
    nextId: 2n,
    coordinationEngine: engineId,
  })
  const bytes = encodeRecord(partitionMapKind, map)
  const put = { key: partitionMapKey, value: bytes }
  try {
    await engine.commit({ fence: { key: partitionMapKey, token: undefined }, puts: [put], deletes: [] })
    return { map: freeze(map), bytes }
  } catch (error) {
    // Another process made it in between: that one counts.
    const made = await readMap(engine)
    if (made === undefined) throw error
    return made
  }
}
