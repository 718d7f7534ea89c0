import { startLoad } from '../../cluster/load.ts'
import { BUCKET, serviceOf, startVictim, type ChaosCase, type Victim } from '../chaos-case.ts'
import type { Chance } from '../seeded.ts'

const KILLS_A_ROUND = 6

/** kill -9 of any service, of several storage nodes at once, or of everything, in the middle of writes. */
export const kill: ChaosCase = {
  name: 'kill',
  what: `kill -9 at random points of load, ${KILLS_A_ROUND} times a round`,
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, { gateways: 2 })
    const kills = rounds * KILLS_A_ROUND
    let all = 0
    for (let n = 0; n < kills; n++) {
      // Everything at least once a round: after it, only what is on the disks is there.
      const targets = n % KILLS_A_ROUND === 0 ? 'everything' : chooseTargets(chance, victim.nodes)
      if (targets === 'everything') {
        await killEverything(victim, chance)
        all++
      } else await killSome(victim, chance, targets)
      if (n % KILLS_A_ROUND < KILLS_A_ROUND - 1) continue
      await victim.verify()
      tell(`${n + 1} of ${kills} kills, ${victim.ledger.acknowledgements} acknowledged writes are there`)
    }
    await victim.inspector.whole(90, true)
    await victim.verify()
    return `${kills} kills, ${all} of them of everything; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

function chooseTargets(chance: Chance, nodes: readonly string[]): 'everything' | readonly string[] {
  const kind = chance.next()
  if (kind < 0.1) return 'everything'
  if (kind < 0.35) return ['metadata']
  if (kind < 0.5) return ['worker']
  if (kind < 0.6) return ['gateway-1']
  if (kind < 0.7) {
    const zone = chance.pick(['zone-a', 'zone-b', 'zone-c'])
    return nodes.filter((node) => node.startsWith(zone)).map(serviceOf)
  }
  return [serviceOf(chance.pick(nodes))]
}

async function killEverything({ lifetime, cluster, ledger }: Victim, chance: Chance): Promise<void> {
  const client = cluster.client(0, 1)
  const load = startLoad(lifetime, [client], BUCKET, ledger, { writers: 4, readers: 0, endAtFailure: true })
  await load.progress(chance.between(1, 12))
  await cluster.killEverything()
  await load.stop()
  await cluster.startAgain()
}

async function killSome(
  { lifetime, cluster, ledger }: Victim,
  chance: Chance,
  services: readonly string[],
): Promise<void> {
  // Both gateways, so that clients have somewhere to go; what was cut off stays without an answer.
  const clients = [cluster.client(0, 1), cluster.client(1, 1)]
  const load = startLoad(lifetime, clients, BUCKET, ledger, { writers: 4, readers: 0, endAtFailure: true })
  await load.progress(chance.between(1, 12))
  await cluster.kill(services, 'SIGKILL')
  if (!services.includes('metadata')) await load.progress(chance.between(0, 2))
  await Promise.all(services.map((service) => cluster.restart(service)))
  await load.stop()
}
