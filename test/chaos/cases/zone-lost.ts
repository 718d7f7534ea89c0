import { rm } from 'node:fs/promises'
import { serviceOf, startVictim, type ChaosCase } from '../chaos-case.ts'

/** A zone and its disks are gone for good; new nodes take their place; then another zone goes. */
export const zoneLost: ChaosCase = {
  name: 'zone-lost',
  what: 'a zone killed with its disks, rebuilt on new nodes, then another zone killed',
  async run(t, { chance, rounds }) {
    const victim = await startVictim(t, {})
    const { cluster, inspector } = victim
    await victim.fill(30 * rounds)
    const zone = chance.pick(['zone-a', 'zone-b', 'zone-c'])
    const lost = victim.nodes.filter((node) => node.startsWith(zone))
    await cluster.kill(lost.map(serviceOf), 'SIGKILL')
    for (const node of lost) await rm(cluster.paths.node(node), { recursive: true })
    await cluster.nodesDown(lost)
    await victim.fill(20 * rounds)
    await victim.verify()

    for (const n of [3, 4]) await victim.ashlar('node', 'add', `${zone}-${n}`, '--zone', zone, '--start')
    for (const node of lost) await victim.ashlar('node', 'remove', node, '--lost', '--yes')
    await inspector.whole(120, true)
    await victim.verify()

    const next = chance.pick(['zone-a', 'zone-b', 'zone-c'].filter((other) => other !== zone))
    const down = victim.nodes.filter((node) => node.startsWith(next))
    await cluster.kill(down.map(serviceOf), 'SIGKILL')
    await cluster.nodesDown(down)
    await victim.verify()
    return `${zone} lost and rebuilt, then ${next} down; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}
