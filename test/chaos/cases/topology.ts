import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { runAshlar } from '../../cluster/processes.ts'
import { startVictim, type ChaosCase, type Victim } from '../chaos-case.ts'

/** A node is added, another drained and removed, under load. */
export const topology: ChaosCase = {
  name: 'topology',
  what: 'a node added, one drained and removed, under load',
  shortForm: 'test/cluster/topology.test.ts',
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, {})
    const nodes = [...victim.nodes]
    await victim.fill(30)
    for (let round = 0; round < rounds; round++) {
      const leaving = chance.pick(nodes)
      const zone = leaving.slice(0, 'zone-x'.length)
      const added = `${zone}-${10 + round}`
      const load = victim.load(2, 1)
      await load.progress(5)
      await victim.ashlar('node', 'add', added, '--zone', zone, '--start')
      await load.progress(5)
      await victim.ashlar('node', 'drain', leaving)
      const refused = await runAshlar(['node', 'remove', leaving, '--data', victim.cluster.paths.folder])
      assert.notEqual(refused.code, 0, 'a node that still has shards is not removed')
      await slotsGone(victim, leaving)
      await load.progress(5)
      await emptied(victim, leaving)
      await victim.ashlar('node', 'remove', leaving)
      await load.progress(5)
      assert.deepEqual(await load.stop(), [], 'every write was acknowledged')
      nodes.splice(nodes.indexOf(leaving), 1, added)
      await victim.inspector.whole(120)
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${rounds} nodes exchanged; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

async function slotsGone({ inspector }: Victim, node: string): Promise<void> {
  for (;;) {
    const { map } = await inspector.metadata.call('getCluster', {})
    const slots = map?.pools.flatMap(({ groups }) => groups).flatMap((group) => group.slots) ?? []
    if (!slots.some((slot) => slot.node === node || slot.source === node)) return
    await delay(250)
  }
}

async function emptied({ inspector }: Victim, node: string): Promise<void> {
  while ((await inspector.shards.node(node).status()).shards > 0) await delay(250)
  // What metadata knows of it comes with the next heartbeat.
  for (;;) {
    const { nodes } = await inspector.metadata.call('getCluster', {})
    if (nodes.find((one) => one.node === node)?.shards === 0n) return
    await delay(250)
  }
}
