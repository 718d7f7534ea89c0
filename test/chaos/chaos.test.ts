/**
 * Every way to hurt a cluster, once each, against real processes and real files, but for those that another test has in short.
 * The long form, with another seed each
 * time: `npm run chaos -- --minutes 30`.
 */
import { test } from 'node:test'
import { Run } from '../bench/cluster/run.ts'
import { cases } from './cases.ts'
import { seeded } from './seeded.ts'

const seed = Number(process.env['ASHLAR_CHAOS_SEED'] ?? 1)

for (const { name, what, shortForm, unable, run } of cases) {
  if (shortForm !== undefined) continue
  test(`${name}: ${what}`, async (t) => {
    const reason = await unable?.()
    if (reason !== undefined) {
      t.skip(reason)
      return
    }
    // Ends what was begun last first, which a test's own hooks do not: processes before their disks, disks before their folders.
    const whole = new Run()
    try {
      t.diagnostic(await run(whole, { chance: seeded(seed), rounds: 1 }))
      whole.passed = true
    } finally {
      await whole.end()
    }
  })
}
