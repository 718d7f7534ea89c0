import { open, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { serviceOf, startVictim, type ChaosCase } from '../chaos-case.ts'
import type { Chance } from '../seeded.ts'

/** Bytes flipped in the segments and the index of one node, running and stopped. */
export const rot: ChaosCase = {
  name: 'rot',
  what: 'random bytes flipped in segments and in the index of a node',
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, {})
    let flips = 0
    for (let round = 0; round < rounds; round++) {
      await victim.fill(40)
      const node = chance.pick(victim.nodes)
      const folder = victim.cluster.paths.node(node)
      for (const file of await filesIn(join(folder, 'segments'))) flips += await flip(file, chance, 6)
      await victim.verify()
      const other = chance.pick(victim.nodes.filter((one) => one !== node))
      const service = serviceOf(other)
      await victim.cluster.kill([service], 'SIGKILL')
      const index = (await filesIn(join(victim.cluster.paths.node(other), 'index'))).filter((file) =>
        /\.(ldb|log)$/.test(file),
      )
      for (const file of index) flips += await flip(file, chance, 3)
      await victim.cluster.restart(service)
      await victim.verify()
      await victim.inspector.whole(120, true)
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${flips} bytes flipped; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

/** Segments of a node cut short, and others removed, while it is stopped. */
export const lostSegments: ChaosCase = {
  name: 'lost-segments',
  what: 'segments of a node truncated or removed',
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, {})
    const done: string[] = []
    for (let round = 0; round < rounds; round++) {
      for (const how of ['truncated', 'removed'] as const) {
        await victim.fill(40)
        const node = chance.pick(victim.nodes)
        await victim.cluster.kill([serviceOf(node)], 'SIGKILL')
        const file = chance.pick(await filesIn(join(victim.cluster.paths.node(node), 'segments')))
        if (how === 'removed') await rm(file)
        else await truncate(file, Math.floor((await stat(file)).size * chance.next()))
        done.push(`${how} on ${node}`)
        await victim.cluster.restart(serviceOf(node))
        await victim.verify()
        await victim.inspector.whole(120, true)
      }
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${done.join(', ')}; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).toSorted().map((name) => join(folder, name))
}

/** Flips one bit in each of up to `times` places of a file; resolves to how many. */
async function flip(path: string, chance: Chance, times: number): Promise<number> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    if (size === 0) return 0
    for (let n = 0; n < times; n++) {
      const position = chance.between(0, size - 1)
      const byte = Buffer.alloc(1)
      await file.read(byte, 0, 1, position)
      byte[0] = (byte[0] ?? 0) ^ (1 << chance.between(0, 7))
      await file.write(byte, 0, 1, position)
    }
    return times
  } finally {
    await file.close()
  }
}
