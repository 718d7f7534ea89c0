import { PASSES, type Difference, type Expectations, type Reason } from './expectations.ts'
import type { Outcome } from './junit.ts'

const HEADINGS: Readonly<Record<Difference['kind'], string>> = {
  broken: 'Listed as passing, but did not pass',
  'passes-now': 'Listed with a reason, but passed (--write takes the reason away)',
  unclassified: 'Did not pass and is not in the list: find out why, and give the reason',
  new: 'Passed and is not in the list (--write adds it)',
  gone: 'In the list, but not in the suite (--write removes it)',
}

/** What a run showed, for the terminal. */
export function summary(
  { reasons, tests }: Expectations,
  outcomes: ReadonlyMap<string, Outcome>,
  differences: readonly Difference[],
): string {
  const lines: string[] = []
  for (const [kind, heading] of Object.entries(HEADINGS)) {
    const these = differences.filter((difference) => difference.kind === kind)
    if (these.length > 0) lines.push(`${heading} (${these.length}):`, ...these.map(lineOf), '')
  }
  const passed = [...outcomes.values()].filter(({ state }) => state === 'passed').length
  lines.push(`${outcomes.size} tests: ${passed} passed, ${outcomes.size - passed} did not.`)
  for (const { count, text } of countReasons(reasons, tests, (test) => outcomes.has(test))) {
    lines.push(`${String(count).padStart(5)}  ${text}`)
  }
  lines.push(differences.length === 0 ? 'As listed.' : `${differences.length} differences from the list.`)
  return `${lines.join('\n')}\n`
}

function lineOf(difference: Difference): string {
  if ('outcome' in difference) return `  ${difference.test}: ${difference.outcome.message}`
  return 'reason' in difference ? `  ${difference.test} (${difference.reason})` : `  ${difference.test}`
}

/** How many of the tests have each reason, most first. */
export function countReasons(
  reasons: Expectations['reasons'],
  tests: Expectations['tests'],
  counted: (test: string) => boolean = () => true,
): readonly { readonly count: number; readonly reason: Reason; readonly text: string }[] {
  const counts = new Map<string, number>()
  for (const [test, id] of Object.entries(tests)) {
    if (id !== PASSES && counted(test)) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return [...counts]
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .flatMap(([id, count]) => {
      const reason = reasons[id]
      return reason === undefined ? [] : [{ count, reason, text: textOf(reason) }]
    })
}

function textOf(reason: Reason): string {
  if ('notBuilt' in reason) return `not built: ${reason.notBuilt}`
  if ('notAws' in reason) return `not so at AWS: ${reason.notAws}`
  return `of the surroundings: ${reason.environment}`
}
