import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { serviceOf, startVictim, type ChaosCase } from '../chaos-case.ts'

/** The code of a pool changes, and the change is interrupted by kills. */
export const recode: ChaosCase = {
  name: 'recode',
  what: 'another code for a pool, interrupted by kill -9 of the worker, of metadata and of nodes',
  async run(t, { chance, rounds, tell }) {
    const victim = await startVictim(t, {})
    const { cluster, inspector } = victim
    await victim.fill(50)
    const codes = ['rs-2-2', 'rs-4-2', 'rs-3-3']
    let kills = 0
    for (let round = 0; round < rounds; round++) {
      const code = codes[round % codes.length] ?? 'rs-4-2'
      await victim.ashlar('pool', 'set-code', 'standard', code)
      for (let n = 0; n < 3; n++) {
        await delay(chance.between(100, 1500))
        const target = chance.pick(['worker', 'metadata', serviceOf(chance.pick(victim.nodes))])
        await cluster.kill([target], 'SIGKILL')
        await cluster.restart(target)
        kills++
      }
      await victim.fill(10)
      await oldPoolGone(inspector, code)
      await inspector.whole(120, true)
      await victim.verify()
      tell(`round ${round + 1} of ${rounds}`)
    }
    return `${rounds} changes of code, ${kills} kills; ${victim.ledger.acknowledgements} acknowledged writes are there`
  },
}

async function oldPoolGone({ metadata }: { readonly metadata: MetadataApi }, code: string): Promise<void> {
  for (;;) {
    const { map } = await metadata.call('getCluster', {})
    const named = map?.pools.filter(({ name }) => name === 'standard') ?? []
    if (named.length === 1) {
      assert.equal(named[0]?.code, code)
      return
    }
    await delay(250)
  }
}
