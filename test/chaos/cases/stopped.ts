import { setTimeout as delay } from 'node:timers/promises'
import assert from 'node:assert/strict'
import { serviceOf, startVictim, type ChaosCase } from '../chaos-case.ts'

/** Longer than the lease and the grace that the victim has, so that the node's slots are given away. */
const STOPPED_MS = 14_000

/** A node stands still for longer than the grace, and comes back knowing nothing of it. */
export const stopped: ChaosCase = {
  name: 'stopped',
  what: 'SIGSTOP of a node for longer than the grace, then SIGCONT, under load',
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, { nodesPerZone: 3 })
    const { cluster, inspector } = victim
    await victim.fill(30)
    let moved = 0
    for (let round = 0; round < rounds; round++) {
      const before = Number((await inspector.look()).cluster.map?.epoch ?? 0n)
      const node = chance.pick(victim.nodes)
      const load = victim.load(2, 1)
      await load.progress(5)
      await cluster.kill([serviceOf(node)], 'SIGSTOP')
      await delay(STOPPED_MS)
      const { map } = (await inspector.look()).cluster
      const left = map?.pools.flatMap(({ groups }) => groups).flatMap(({ slots }) => slots) ?? []
      assert.ok(!left.some((slot) => slot.node === node), `slots of ${node} were given to others of its zone`)
      moved += left.filter((slot) => slot.source === node).length
      await load.progress(10)
      await cluster.kill([serviceOf(node)], 'SIGCONT')
      await load.progress(10)
      assert.deepEqual(await load.stop(), [], 'every write was acknowledged')
      await inspector.whole(120)
      const epochs = Number((await inspector.look()).cluster.map?.epoch ?? 0n) - before
      assert.ok(epochs < 40, `${epochs} changes of the map for one node`)
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${rounds} times, ${moved} slots seen moving; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}
