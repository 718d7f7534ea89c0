import { PASSES, type Expectations } from '../s3-tests/expectations.ts'
import { countReasons } from '../s3-tests/report.ts'
import type { OperationEntry } from './operations.ts'

/** docs/s3-compatibility.md as text. */
export function compatibilityDocument(operations: readonly OperationEntry[], list: Expectations): string {
  const of = (state: OperationEntry['state']) => operations.filter((entry) => entry.state === state)
  const [built, unconfigured, missing] = [of('built'), of('unconfigured'), of('missing')]
  const sections = [
    '# S3 compatibility',
    '<!-- Made by `npm run generate` out of the schemas, the table of operations, the tests and test/conformance/s3-tests.json. -->',
    `Of the ${operations.length} operations in the schemas of \`@aws-sdk/client-s3\`, ${built.length} are built. ${unconfigured.length} more
answer as AWS does for a bucket that has none of what they read, because it cannot be set yet. The other ${missing.length}
answer \`501 NotImplemented\` by their names. Members of a built operation that are not built are refused the same way;
nothing is accepted and ignored.`,
    '## Built',
    'Each has a conformance test through the real SDK client against a real gateway.',
    builtTable(built),
    'A browser can also upload with a form: [PostObject](../test/conformance/PostObject.test.ts).',
    '## Not built',
    byArea(missing),
    '## Read, but not set',
    byArea(unconfigured),
    linksOf(unconfigured),
    ...s3Tests(list),
  ]
  return `${sections.join('\n\n')}\n`
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n')
}

function builtTable(built: readonly OperationEntry[]): string {
  const families = Map.groupBy(built, ({ area }) => area)
  const rows = [...families].toSorted(byFirst).flatMap(([family, entries]) =>
    entries.map(({ name, tests, note }) => {
      const links = tests.map(linkOf).join(', ')
      return [name, `[${family}](../gateway/operations/${family})`, links, note]
    }),
  )
  return table(['operation', 'family', 'tests', 'limits'], rows)
}

/** Links to the tests of several operations. */
function linksOf(operations: readonly OperationEntry[]): string {
  const files = [...new Set(operations.flatMap(({ tests }) => tests))].toSorted()
  return `Tests: ${files.map(linkOf).join(', ')}.`
}

function linkOf(file: string): string {
  return `[${file.replace('.test.ts', '')}](../test/conformance/${file})`
}

function byArea(missing: readonly OperationEntry[]): string {
  const areas = Map.groupBy(missing, ({ area }) => area)
  const rows = [...areas].toSorted(byFirst).map(([area, entries]) => {
    const names = entries.map(({ name }) => name)
    return [area, names.join(', ')]
  })
  return table(['area', 'operations'], rows)
}

function s3Tests({ suite, adaptations, reasons, tests }: Expectations): string[] {
  const all = Object.values(tests)
  const passing = all.filter((expected) => expected === PASSES).length
  const rows = countReasons(reasons, tests).map(({ count, reason, text }) => {
    const source = 'source' in reason ? `[source](${reason.source})` : ''
    return [String(count), text, source]
  })
  return [
    '## ceph/s3-tests',
    `Of the ${all.length} tests in \`test_s3.py\` and \`test_headers.py\` of [ceph/s3-tests](${suite.repository}) at
\`${suite.commit.slice(0, 12)}\`, ${passing} pass. Each of the others has a reason in
[s3-tests.json](../test/conformance/s3-tests.json); \`npm run s3-tests -- --suite DIR\` runs them and fails on every difference.`,
    table(['tests', 'why they do not pass', ''], rows),
    'The suite is changed in a copy before it runs:',
    Object.values(adaptations)
      .map((why) => `- ${why}`)
      .join('\n'),
  ]
}

function byFirst([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
