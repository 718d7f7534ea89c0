import { setTimeout as delay } from 'node:timers/promises'
import type { Position } from '../../../core/keyspace/partitions.ts'
import { comparePositions } from '../../../core/keyspace/partitions.ts'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataMember } from '../../../proto/gen/ashlar/v1/partitions_pb.js'
import { MetadataError, type MetadataApi } from '../../../proto/metadata-api.ts'
import { type MappedPartition, PartitionTable } from '../../../runtime/metadata-client/partition-table.ts'
import type { Chance } from '../seeded.ts'

const PARTITIONS_MOST = 8
/** From the end of one change to the next, in ms. */
const PAUSE_MS_MAX = 300

type Kind = 'split' | 'merge' | 'move' | 'move of the root'

interface View {
  readonly table: PartitionTable
  readonly alive: readonly MetadataMember[]
}

/** Splits, merges and moves partitions all the while, as the seed says, one change after the other. */
export class PartitionChanges {
  readonly #api: MetadataApi
  readonly #positions: readonly Position[]
  readonly #chance: Chance
  readonly #made = new Map<Kind, number>()
  readonly #notMade = new Map<string, number>()
  readonly #faults: string[] = []
  #stopping = false
  #running: Promise<void> = Promise.resolve()

  /** @param positions where partitions may be split */
  constructor(api: MetadataApi, positions: readonly Position[], chance: Chance) {
    this.#api = api
    this.#positions = positions
    this.#chance = chance
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Resolves when the last change has ended. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  /** Who owns what, as somebody who lives says. */
  async view(): Promise<View> {
    const { map, members } = await this.#api.call('getPartitions', { fresh: true })
    if (map === undefined) throw new Error('metadata told no partition map')
    return { table: new PartitionTable(map), alive: members }
  }

  /** Cuts the range in so many parts, and gives each process some of them. */
  async spread(parts: number): Promise<void> {
    for (let part = 1; part < parts; part++) {
      const at = this.#positions[Math.floor((part * this.#positions.length) / parts)]
      if (at === undefined) continue
      await untilMade(async () => {
        const one = (await this.view()).table.at(at)
        if (comparePositions(one.start, at) === 0) return
        await this.#api.call('changePartitions', {
          change: { case: 'split', value: { id: BigInt(one.id), at } },
        })
      })
    }
    for (let index = 0; index < parts; index++) {
      await untilMade(async () => {
        const { table, alive } = await this.view()
        const one = table.partitions[index]
        const to = alive[index % alive.length]?.id
        if (one === undefined || to === undefined || to === one.owner) return
        const value = { id: BigInt(one.id), owner: to }
        await this.#api.call('changePartitions', { change: { case: 'move', value } })
      })
    }
  }

  /** What was made, and what was refused, or nobody knows the outcome of, in one line. */
  summary(): string {
    const text = (counts: ReadonlyMap<string, number>): string =>
      [...counts].map(([what, count]) => `${count} ${what}`).join(', ')
    return `${text(this.#made)}${this.#notMade.size === 0 ? '' : ` (not: ${text(this.#notMade)})`}`
  }

  /** Changes that failed as none may. */
  get faults(): readonly string[] {
    return this.#faults
  }

  /** Kinds of which none was made. */
  missing(): Kind[] {
    const kinds: Kind[] = ['split', 'merge', 'move', 'move of the root']
    return kinds.filter((kind) => !this.#made.has(kind))
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        const kind = await this.#change(await this.view())
        if (kind !== undefined) this.#made.set(kind, (this.#made.get(kind) ?? 0) + 1)
      } catch (error) {
        this.#failed(error)
      }
      await delay(this.#chance.between(0, PAUSE_MS_MAX))
    }
  }

  #failed(error: unknown): void {
    const code = passingCodeOf(error)
    if (code === undefined) this.#faults.push(String(error))
    else this.#notMade.set(code, (this.#notMade.get(code) ?? 0) + 1)
  }

  /** @returns what was made; undefined: there was nothing to do */
  async #change({ table, alive }: View): Promise<Kind | undefined> {
    const { partitions } = table
    const wanted = this.#chance.next()
    if (wanted < 0.1) {
      const to = this.#other(alive, table.rootOwner)
      if (to === undefined) return undefined
      await this.#api.call('changePartitions', {
        change: { case: 'move', value: { id: 0n, owner: to } },
      })
      return 'move of the root'
    }
    const one = this.#chance.pick(partitions)
    if (wanted < 0.5) {
      const to = this.#other(alive, one.owner)
      if (to === undefined) return undefined
      await this.#api.call('changePartitions', {
        change: { case: 'move', value: { id: BigInt(one.id), owner: to } },
      })
      return 'move'
    }
    if (partitions.length < PARTITIONS_MOST && (wanted < 0.75 || partitions.length < 3)) {
      const inside = this.#positions.filter((position) => isInside(one, position))
      if (inside.length === 0) return undefined
      await this.#api.call('changePartitions', {
        change: { case: 'split', value: { id: BigInt(one.id), at: this.#chance.pick(inside) } },
      })
      return 'split'
    }
    if (one === partitions.at(-1)) return undefined
    await this.#api.call('changePartitions', { change: { case: 'merge', value: { left: BigInt(one.id) } } })
    return 'merge'
  }

  #other(alive: readonly MetadataMember[], owner: string): string | undefined {
    const others = alive.filter(({ id, leaving }) => id !== owner && !leaving)
    return others.length === 0 ? undefined : this.#chance.pick(others).id
  }
}

/** Why a change was not made that may be made later, or was made though nobody said so; undefined: it may not fail like this. */
function passingCodeOf(error: unknown): string | undefined {
  const code = error instanceof MetadataError ? FailureCode[error.code] : undefined
  const passing = ['PARTITION_REFUSED', 'STALE_EPOCH', 'NOT_MINE', 'UNAVAILABLE', 'SLOW_DOWN']
  return code !== undefined && passing.includes(code) ? code : undefined
}

/** @param change looks first whether it was made */
async function untilMade(change: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await change()
      return
    } catch (error) {
      if (passingCodeOf(error) === undefined) throw error
      await delay(PAUSE_MS_MAX)
    }
  }
}

function isInside({ start, end }: MappedPartition, position: Position): boolean {
  return comparePositions(start, position) < 0 && (end === undefined || comparePositions(position, end) < 0)
}
