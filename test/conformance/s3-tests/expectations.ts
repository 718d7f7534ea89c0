import { z } from 'zod'
import type { Outcome } from './junit.ts'

/**
 * What is expected of ceph/s3-tests, as test/conformance/s3-tests.json says it: each test passes, or has a reason.
 * A reason is either an area of S3 that is not built, or a behaviour of Ceph's that AWS does not have; the second
 * needs a source. Reasons are written by people, and only here.
 */
const reason = z.union([
  z.strictObject({ notBuilt: z.string().min(1), detail: z.string().optional() }),
  z.strictObject({ notAws: z.string().min(1), source: z.url() }),
  z.strictObject({ environment: z.string().min(1) }),
])

export const PASSES = 'passes'

const expectationsFile = z
  .strictObject({
    about: z.array(z.string()),
    suite: z.strictObject({ repository: z.url(), commit: z.string().regex(/^[0-9a-f]{40}$/) }),
    /** Changes made to a copy of the suite before it runs: id (see adaptations.ts) → what, and why it is right. */
    adaptations: z.record(z.string(), z.string()),
    reasons: z.record(z.string(), reason),
    /** `<file>::<test>` → `passes`, or the id of a reason. */
    tests: z.record(z.string(), z.string()),
  })
  .superRefine(({ reasons, tests }, context) => {
    const used = new Set(Object.values(tests))
    for (const [test, expected] of Object.entries(tests)) {
      if (expected !== PASSES && !(expected in reasons)) {
        context.addIssue({ code: 'custom', message: `${test}: there is no reason ${expected}` })
      }
    }
    for (const id of Object.keys(reasons)) {
      if (id === PASSES || !used.has(id)) {
        context.addIssue({ code: 'custom', message: `reason ${id} is not used` })
      }
    }
  })

export type Expectations = z.output<typeof expectationsFile>
export type Reason = z.output<typeof reason>

/** @throws {Error} that names every fault */
export function readExpectations(text: string): Expectations {
  const result = expectationsFile.safeParse(JSON.parse(text))
  if (result.success) return result.data
  throw new Error(z.prettifyError(result.error))
}

/** A difference between what was expected and what came. Any of them makes the run fail. */
export type Difference =
  /** Expected to pass, but did not. */
  | { readonly kind: 'broken'; readonly test: string; readonly outcome: Outcome }
  /** Has a reason not to pass, but passed. */
  | { readonly kind: 'passes-now'; readonly test: string; readonly reason: string }
  /** Failed or was skipped, and the list does not know it. */
  | { readonly kind: 'unclassified'; readonly test: string; readonly outcome: Outcome }
  /** Passed, and the list does not know it. */
  | { readonly kind: 'new'; readonly test: string }
  /** In the list, but not in the suite. */
  | { readonly kind: 'gone'; readonly test: string }

/** @param whole whether all tests were to run: only then is one that did not run a difference */
export function compare(
  expected: Expectations['tests'],
  outcomes: ReadonlyMap<string, Outcome>,
  whole: boolean,
): Difference[] {
  const differences: Difference[] = []
  for (const [test, outcome] of outcomes) {
    const known = expected[test]
    const passed = outcome.state === 'passed'
    if (known === undefined) {
      differences.push(passed ? { kind: 'new', test } : { kind: 'unclassified', test, outcome })
    } else if (known === PASSES && !passed) differences.push({ kind: 'broken', test, outcome })
    else if (known !== PASSES && passed) differences.push({ kind: 'passes-now', test, reason: known })
  }
  if (whole) {
    const gone = Object.keys(expected).filter((test) => !outcomes.has(test))
    for (const test of gone) differences.push({ kind: 'gone', test })
  }
  return differences
}

/**
 * The list with what a run has shown and nobody has to judge: tests that pass now, new ones that pass, and without those
 * that are gone, and without reasons that nothing needs any more. What failed stays as it was: a reason is a judgement.
 */
export function updated(expectations: Expectations, differences: readonly Difference[]): Expectations {
  const tests = new Map(Object.entries(expectations.tests))
  for (const { kind, test } of differences) {
    if (kind === 'passes-now' || kind === 'new') tests.set(test, PASSES)
    else if (kind === 'gone') tests.delete(test)
  }
  const used = new Set(tests.values())
  const sorted = [...tests].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return {
    ...expectations,
    reasons: Object.fromEntries(Object.entries(expectations.reasons).filter(([id]) => used.has(id))),
    tests: Object.fromEntries(sorted),
  }
}
