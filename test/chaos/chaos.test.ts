/**
 * Every way to hurt a cluster, once each, against real processes and real files, but for those that another test has in short.
 * The long form, with another seed each
 * time: `npm run chaos -- --minutes 30`.
 */
import { test } from 'node:test'
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
    t.diagnostic(
      await run(t, { chance: seeded(seed), rounds: 1, tell: (progress) => t.diagnostic(progress) }),
    )
  })
}
