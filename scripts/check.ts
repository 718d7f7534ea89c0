/** `npm run check`: holds the checkout against every rule that a machine can hold it against. */
import { checks } from './lib/checks.ts'

/** Checks run two at a time: most are one process that waits for the disk or uses one core. */
const atOnce = 2

const help = `Usage: npm run check [-- <name>...]

Runs all checks, or those named:
${checks.map(({ name, what }) => `  ${name.padEnd(10)} ${what}\n`).join('')}
Prints a line for each, and under it what a failed one found. Exits with 1 if any failed.
`

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !checks.some((check) => check.name === name))
  if (unknown.length > 0) {
    process.stderr.write(`No such check: ${unknown.join(', ')}\n\n${help}`)
    return 2
  }
  const chosen = checks.filter(({ name }) => names.length === 0 || names.includes(name))
  const waiting = [...chosen]
  const failed: string[] = []
  async function worker(): Promise<void> {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const started = performance.now()
      const { ok, output } = await check.run()
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      if (!ok) failed.push(check.name)
      const line = `${check.name.padEnd(10)} ${ok ? 'ok    ' : 'FAILED'} ${seconds.padStart(5)} s\n`
      process.stdout.write(ok ? line : `${line}\n${output.trimEnd()}\n\n`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  process.stdout.write(
    failed.length === 0 ? `All ${chosen.length} checks passed.\n` : `Failed: ${failed.join(', ')}.\n`,
  )
  return failed.length === 0 ? 0 : 1
}

const names = process.argv.slice(2)
if (names.includes('--help') || names.includes('-h')) process.stdout.write(help)
else process.exitCode = await main(names)
