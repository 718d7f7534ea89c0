import { SaxesParser } from 'saxes'

/** What became of one test. A test whose set-up or clean-up broke has failed. */
export interface Outcome {
  readonly state: 'passed' | 'failed' | 'skipped'
  /** First line of why it failed or was skipped; empty for one that passed. */
  readonly message: string
}

/** From the least to the most telling: pytest writes a test that passes and then breaks in its clean-up twice. */
const SEVERITY = { passed: 0, skipped: 1, failed: 2 } as const

const STATE_OF: Readonly<Record<string, Outcome['state']>> = {
  failure: 'failed',
  error: 'failed',
  skipped: 'skipped',
}

/**
 * The outcomes in a JUnit report of pytest, by `<file>::<test>` such as `test_s3.py::test_bucket_list_empty`.
 * @throws {Error} where the text is no XML, or pytest reports something that is no test (a file it could not import)
 */
export function readJunit(text: string): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>()
  let name = ''
  let current: Outcome = { state: 'passed', message: '' }
  const parser = new SaxesParser()
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name: tag, attributes }) => {
    if (tag === 'testcase') {
      name = nameOf(attributes)
      current = { state: 'passed', message: '' }
      return
    }
    const state = STATE_OF[tag]
    if (state === undefined) return
    const outcome: Outcome = { state, message: firstLine(attributes['message'] ?? '') }
    if (SEVERITY[outcome.state] > SEVERITY[current.state]) current = outcome
  })
  parser.on('closetag', ({ name: tag }) => {
    if (tag !== 'testcase') return
    const known = outcomes.get(name)
    if (known === undefined || SEVERITY[current.state] > SEVERITY[known.state]) outcomes.set(name, current)
  })
  parser.write(text).close()
  return outcomes
}

/** pytest says `classname="s3tests.functional.test_s3" name="test_x"`. */
function nameOf(attributes: Readonly<Record<string, string>>): string {
  const { classname = '', name = '' } = attributes
  const file = classname.slice(classname.lastIndexOf('.') + 1)
  if (file === '' || name === '') throw new Error(`pytest could not collect its tests: ${classname}${name}`)
  return `${file}.py::${name}`
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.trim() ?? ''
}
