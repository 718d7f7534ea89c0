import assert from 'node:assert/strict'
import { readObjectPosition, SPACE } from '../../../core/keyspace/keys.ts'
import { BackupWriter } from '../../../metadata/backup/format/writer.ts'
import { unpackEntries } from '../../../metadata/backup/format/entries.ts'
import type { EngineEntry } from '../../../metadata/engine/engine.ts'
import { FailureCode, type OpenBackupReply } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../../proto/metadata-api.ts'
import { seeded } from '../../chaos/seeded.ts'
import { createBucket, OWNER } from '../../contract/metadata-requests.ts'
import { assertVerified, emptyFile, HEADER } from '../backups.ts'
import { idOf } from '../engine-move.ts'
import { Requests } from './requests.ts'
import { World } from './world.ts'

/** Where partitions begin; every other one lies on the second engine. */
const CUTS = ['d', 'm', 's'] as const
/** One key in each partition. */
const PLACES = ['a', 'e', 'n', 't'] as const

/** What a backup of a scene shows. */
export interface Shown {
  readonly reply: OpenBackupReply
  readonly engines: readonly (readonly EngineEntry[])[]
}

/**
 * Three processes over two engines. Writers go from partition to partition, each by a chain: it begins a step only when the one
 * before was acknowledged. So whatever moment is shown, of each chain it has the steps up to one and none after it.
 */
export class MomentScene {
  readonly world: World
  readonly requests: Requests
  readonly api: MetadataApi
  readonly #chance: ReturnType<typeof seeded>
  /** Steps of each chain that were acknowledged. */
  readonly acknowledged: number[] = []
  #stopped = false
  #chains: Promise<unknown> = Promise.resolve()
  /** Writes whose outcome is not known: the chain ended with them. */
  broken = 0

  private constructor(world: World, seed: number) {
    this.world = world
    this.requests = new Requests(world.clock)
    this.api = world.routed()
    this.#chance = seeded(seed)
  }

  static async begin(seed: number): Promise<MomentScene> {
    const world = await World.of(['a', 'b', 'c'], seed, 2)
    const scene = new MomentScene(world, seed)
    const { requests, api } = scene
    const drive = <T>(work: Promise<T>): Promise<T> => world.clock.drive(work)
    await drive(createBucket(api))
    const second = await drive(scene.engineId(1))
    const ids = [1]
    for (const cut of CUTS) ids.push(await drive(requests.split(api, ids.at(-1) ?? 1, cut)))
    for (const [index, id] of ids.entries()) {
      if (index % 2 === 1) await drive(requests.moveEngine(api, id, second))
      await drive(requests.move(api, id, ['a', 'b', 'c', 'a'][index] ?? 'a'))
    }
    if (world.map().rootOwner !== 'a') await drive(requests.move(api, 0, 'a'))
    await world.settle()
    const { partitions } = world.map()
    assert.deepEqual(
      partitions.map(({ engine, owner }) => [engine === second, owner]),
      [
        [false, 'a'],
        [true, 'b'],
        [false, 'c'],
        [true, 'a'],
      ],
    )
    for (const id of world.ids) {
      world.process(id).engineDelay = () => (scene.#chance.next() < 0.3 ? 20 * scene.#chance.next() : 0)
    }
    return scene
  }

  engineId(index: number): Promise<string> {
    return idOf(this.world.engines[index] ?? assert.fail())
  }

  start(chains: number): void {
    this.#chains = Promise.all(Array.from({ length: chains }, (_, chain) => this.#chain(chain)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.world.clock.drive(this.#chains)
  }

  async #chain(chain: number): Promise<void> {
    for (let step = 0; !this.#stopped; step++) {
      try {
        await this.#step(chain, step)
      } catch (error) {
        assert.ok(error instanceof MetadataError && error.code === FailureCode.UNAVAILABLE, String(error))
        this.broken++
        return
      }
      this.acknowledged[chain] = step + 1
    }
  }

  /** Every fifth is a bucket, which the root has, and what follows goes into it. */
  async #step(chain: number, step: number): Promise<void> {
    const bucket = `chain-${chain}-${step}`
    if (step % 5 === 3) {
      await this.api.call('createBucket', { bucket: { name: bucket, owner: OWNER }, limitPerOwner: 100_000 })
    } else if (step % 5 === 4) {
      const within = { bucket: `chain-${chain}-${step - 1}` }
      await this.requests.put(this.api, stepKey('n', chain, step), undefined, within)
    } else await this.requests.put(this.api, stepKey(PLACES[(chain + step) % 4] ?? 'a', chain, step))
  }

  /** Opens a backup and reads all of it. */
  async backUp(): Promise<Shown> {
    const reply = await this.api.call('openBackup', {})
    const engines: EngineEntry[][] = []
    for (const engine of reply.engines.keys()) {
      const all: EngineEntry[] = []
      for (let after: Uint8Array = new Uint8Array(); ;) {
        const { entries } = await this.api.call('readBackup', { id: reply.id, engine, after })
        const page = unpackEntries(entries)
        const last = page.at(-1)
        if (last === undefined) break
        all.push(...page)
        after = last.key
      }
      engines.push(all)
    }
    await this.api.call('closeBackup', { id: reply.id })
    return { reply, engines }
  }

  async close(): Promise<void> {
    await this.stop()
    await this.world.closeAll()
  }
}

function stepKey(place: string, chain: number, step: number): string {
  return `${place}/${chain}/${step}`
}

/** Steps of each chain that are in what is shown; buckets are steps of their own. */
export function stepsIn({ engines }: Pick<Shown, 'engines'>): Map<number, Set<number>> {
  const steps = new Map<number, Set<number>>()
  const note = (chain: number, step: number): void => {
    const known = steps.get(chain) ?? new Set()
    steps.set(chain, known.add(step))
  }
  for (const { key } of engines.flat()) {
    if (key[0] === SPACE.object) {
      const [, chain, step] = readObjectPosition(key).key.split('/')
      note(Number(chain), Number(step))
    } else if (key[0] === SPACE.bucket) {
      const found = /chain-(\d+)-(\d+)/.exec(Buffer.from(key).toString('latin1'))
      if (found !== null) note(Number(found[1]), Number(found[2]))
    }
  }
  return steps
}

/** The chains of which a later step is in, and an earlier one is not. */
export function holesIn(shown: Pick<Shown, 'engines'>): string[] {
  return [...stepsIn(shown)].flatMap(([chain, steps]) => {
    const last = Math.max(...steps)
    const missing = Array.from({ length: last }, (_, step) => step).filter((step) => !steps.has(step))
    return missing.length === 0 ? [] : [`chain ${chain} has step ${last}, and not ${missing.join(', ')}`]
  })
}

/** That its records fit each other, as of the file that is made of it. */
export async function assertFits({ reply, engines }: Shown): Promise<void> {
  const file = await emptyFile()
  const writer = await BackupWriter.start(file, { ...HEADER, engines: reply.engines })
  for (const [index, entries] of engines.entries()) await writer.add(index, entries)
  await writer.end()
  await assertVerified(file)
}
