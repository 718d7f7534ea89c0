/**
 * Nodes that come and go, are drained, lost and slow, writes and deletes, and workers that end at any moment: in the end every
 * acknowledged object reads as it was put, every shard is where it belongs, and nothing else is left.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BLOB_ORPHAN_AGE_MS_MIN, GROUP_AGEING_MS } from '../core/limits.ts'
import { DOWN, type Fault } from '../store/testing/fake-shards.ts'
import { bytesOf } from '../store/testing/harness.ts'
import type { RunningWorker } from './main.ts'
import { createWorkScene, type WorkScene } from './testing/scene.ts'

const SIZES = [1, 20_000, 50_000, 400_000, 4_300_000]
const FAULTS: readonly Fault[] = [
  { kind: 'fail', code: 'unavailable' },
  { kind: 'fail-after', code: 'unavailable' },
  { kind: 'fail', code: 'read-only' },
  { kind: 'slow', ms: 300 },
  { kind: 'corrupt' },
]

class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761 + 1
  }

  /** 0 ≤ result < `sides` */
  roll(sides: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * sides)
  }

  pick<T>(list: readonly T[]): T {
    const one = list[this.roll(list.length)]
    if (one === undefined) throw new Error('nothing to choose from')
    return one
  }
}

class Run {
  readonly #scene: WorkScene
  readonly #dice: Dice
  readonly #nodes: readonly string[]
  #down: string | undefined
  #lost: string | undefined
  #keys = 0
  readonly #workers: RunningWorker[] = []

  constructor(scene: WorkScene, dice: Dice) {
    this.#scene = scene
    this.#dice = dice
    this.#nodes = [...scene.shards.nodes.keys()]
  }

  async step(): Promise<void> {
    const { clock } = this.#scene
    switch (this.#dice.roll(9)) {
      case 0:
      case 1:
      case 2:
        return await this.#put()
      case 3:
        this.#delete()
        return
      case 4:
        this.#toggle()
        return
      case 5:
        this.#move()
        return
      case 6:
        return await this.#replaceWorker()
      case 7:
        this.#faults()
        return
      default:
        await clock.pass(this.#dice.roll(15_000))
    }
  }

  async end(): Promise<void> {
    const { shards, metadata } = this.#scene
    for (const worker of this.#workers) await this.#scene.clock.drive(worker.close())
    for (const node of shards.nodes.values()) node.fault = () => undefined
    metadata.down.clear()
    await this.#scene.start({ name: 'last', deepPassMs: 120_000 })
    await this.#scene.until('nothing moves', () => !this.#scene.moving(), 1_800_000)
    metadata.aheadMs = BLOB_ORPHAN_AGE_MS_MIN + 60_000
    await this.#scene.until('all whole', () => this.#scene.flaws().length === 0, 4 * GROUP_AGEING_MS)
  }

  async #put(): Promise<void> {
    const bytes = bytesOf(this.#dice.pick(SIZES), this.#dice.roll(1_000_000) + 1)
    try {
      const record = await this.#scene.put(`key${++this.#keys}`, bytes)
      this.#scene.remember(record, bytes)
    } catch {
      // Not acknowledged.
    }
  }

  #delete(): void {
    const { objects, blobs } = this.#scene.metadata
    const keys = [...objects.keys()]
    if (keys.length === 0) return
    const key = this.#dice.pick(keys)
    const object = objects.get(key)
    if (object === undefined) return
    objects.delete(key)
    blobs.discardObject(object)
  }

  /** One node goes away, or that one comes back. */
  #toggle(): void {
    const { metadata, shards } = this.#scene
    if (this.#down !== undefined) {
      shards.node(this.#down).fault = () => undefined
      metadata.down.delete(this.#down)
      this.#down = undefined
      return
    }
    const node = this.#dice.pick(this.#nodes.filter((id) => id !== this.#lost))
    this.#down = node
    metadata.down.add(node)
    shards.node(node).fault = () => DOWN
  }

  /** A node is drained to another of its zone, or once, with all that it had, lost. */
  #move(): void {
    if (this.#scene.moving()) return
    const from = this.#dice.pick(this.#nodes)
    const others = this.#nodes.filter((id) => id !== from && id.startsWith(from.charAt(0)))
    const used = new Set(
      this.#scene.metadata.map.pools.flatMap((pool) =>
        pool.groups.flatMap((group) => group.slots.map(({ node }) => node)),
      ),
    )
    const free = others.filter((id) => !used.has(id) && id !== this.#lost)
    const to = free[0]
    if (to === undefined || !used.has(from)) return
    const lose = this.#lost === undefined && this.#down === undefined && this.#dice.roll(3) === 0
    if (lose) {
      this.#lost = from
      this.#scene.metadata.down.add(from)
      this.#scene.shards.node(from).shards.clear()
      this.#scene.shards.node(from).fault = () => DOWN
    }
    this.#scene.move(from, to, { source: !lose })
  }

  async #replaceWorker(): Promise<void> {
    const worker = this.#workers.shift()
    if (worker !== undefined) await this.#scene.clock.drive(worker.close())
    while (this.#workers.length < 1 + this.#dice.roll(2)) {
      this.#workers.push(await this.#scene.start({ name: `w${this.#dice.roll(1_000_000)}` }))
    }
  }

  /** For a while, each call to one node may go wrong. */
  #faults(): void {
    const id = this.#dice.pick(this.#nodes.filter((one) => one !== this.#down && one !== this.#lost))
    const fault = this.#dice.pick(FAULTS)
    const share = 2 + this.#dice.roll(6)
    let left = 40
    this.#scene.shards.node(id).fault = () => (left-- > 0 && this.#dice.roll(share) === 0 ? fault : undefined)
  }
}

for (let seed = 1; seed <= 12; seed++) {
  test(`whatever befalls nodes and workers, nothing acknowledged is lost and all is whole in the end (seed ${seed})`, async () => {
    const scene = createWorkScene({ zones: 3, nodesPerZone: 3, groups: 2, seed })
    const run = new Run(scene, new Dice(seed))
    await scene.fill('first', 6)
    for (let step = 0; step < 60; step++) await run.step()
    await run.end()
    await scene.assertWhole()
    assert.ok(scene.metadata.objects.size > 0)
    await scene.end()
  })
}
