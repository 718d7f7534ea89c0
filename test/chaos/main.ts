/**
 * `npm run chaos -- [--minutes N] [--seed S] [--rounds R] [--case NAME]` hurts real clusters for a long time: the cases in
 * an order of the seed's, again and again until the time is up, each with a seed of its own that is told, so that one
 * that fails can be run again alone. Ends with 0 when all acknowledged data was read back each time.
 */
import { parseArgs } from 'node:util'
import { compileCache } from '../../scripts/lib/compile-cache.ts'
import { Run } from '../cluster/lifetime.ts'
import { cases } from './cases.ts'
import type { ChaosCase } from './chaos-case.ts'
import { seeded, type Chance } from './seeded.ts'

const help = `Usage: npm run chaos -- [--minutes N] [--seed S] [--rounds R] [--case NAME ...]

  --minutes N   begin cases for so long (10); with 0, each of them once
  --seed S      what is broken, where and when (the time)
  --rounds R    how often each case hurts its cluster (3)
  --case NAME   only these:
${cases.map(({ name, what }) => `                  ${name.padEnd(18)} ${what}`).join('\n')}
`

/** Seeds are told, and typed in again: of these many. */
const SEEDS = 1_000_000

interface Options {
  readonly minutes: number
  readonly seed: number
  readonly rounds: number
  readonly chosen: readonly ChaosCase[]
}

function read(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % SEEDS) },
      rounds: { type: 'string', default: '3' },
      case: { type: 'string', multiple: true },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help === true) return undefined
  const named = values.case ?? cases.map(({ name }) => name)
  const unknown = named.find((name) => !cases.some((one) => one.name === name))
  if (unknown !== undefined) throw new TypeError(`no case is called ${unknown}`)
  return {
    minutes: number('--minutes', values.minutes, 0),
    seed: number('--seed', values.seed, 0),
    rounds: number('--rounds', values.rounds, 1),
    chosen: cases.filter(({ name }) => named.includes(name)),
  }
}

function number(option: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < least) {
    throw new TypeError(`${option} takes a whole number of at least ${least}, not ${text}`)
  }
  return value
}

/** Runs one case to its end; what it started is gone afterwards. */
async function runCase(one: ChaosCase, seed: number, rounds: number): Promise<boolean> {
  const reason = await one.unable?.()
  if (reason !== undefined) {
    say(`${one.name}: skipped: ${reason}`)
    return true
  }
  say(`${one.name}: begins, --seed ${seed} --rounds ${rounds}`)
  const whole = new Run()
  const began = performance.now()
  try {
    const done = await one.run(whole, {
      chance: seeded(seed),
      rounds,
      tell: (progress) => say(`${one.name}: ${progress}`),
    })
    whole.passed = true
    say(`${one.name}: ok in ${Math.round((performance.now() - began) / 1000)} s: ${done}`)
  } catch (error) {
    console.error(error)
    say(
      `${one.name}: FAILED; again with: npm run chaos -- --minutes 0 --case ${one.name} --seed ${seed} --rounds ${rounds}`,
    )
  }
  await whole.end()
  return whole.passed
}

function say(text: string): void {
  console.log(`[${new Date().toISOString().slice(11, 19)}] ${text}`)
}

function inOrderOf(chance: Chance, all: readonly ChaosCase[]): ChaosCase[] {
  return all
    .map((one) => ({ one, at: chance.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

async function main(args: readonly string[]): Promise<number> {
  const options = read(args)
  if (options === undefined) {
    console.log(help)
    return 0
  }
  const { minutes, seed, rounds, chosen } = options
  const chance = seeded(seed)
  const until = performance.now() + minutes * 60_000
  let ran = 0
  let failed = 0
  do {
    for (const one of inOrderOf(chance, chosen)) {
      if (ran > 0 && minutes > 0 && performance.now() > until) break
      // A single case is run with the very seed that was given, so that a failure can be had again.
      const own = chosen.length === 1 && ran === 0 ? seed : chance.between(0, SEEDS - 1)
      if (!(await runCase(one, own, rounds))) failed++
      ran++
    }
  } while (performance.now() < until)
  say(`${ran} runs of ${chosen.length} cases, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

process.env['NODE_COMPILE_CACHE'] ??= compileCache
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof TypeError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
