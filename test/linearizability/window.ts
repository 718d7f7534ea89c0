import { checkKey, type Verdict } from './check.ts'
import type { Action, Condition, Operation, Value } from './history.ts'

/** A part of a history that nothing explains, whatever came before it and whatever comes after. */
export interface Window {
  readonly from: number
  readonly to: number
  /** The initial value that it needs; 'any': it cannot be, whatever the key held at `from`. */
  readonly initial: Value | { readonly any: true }
  /** In order of invocation. Those that are cut by `from` or `to` count as writes that may never take effect. */
  readonly operations: readonly Operation[]
}

/** Looks for the shortest part of a refused history of one key that is refused by itself. */
export function shortestWindow(history: readonly Operation[], initial?: Value): Window {
  const answers = timesOf(history, ({ responded }) => responded)
  const to = answers[firstWhere(answers.length, (n) => refused(cut(history, -Infinity, answers[n]), initial))]
  const starts = timesOf(history, ({ invoked }) => invoked).filter((at) => at <= (to ?? Infinity))
  const any = { any: true } as const
  // The later it begins, the more may have been before it: from some point on it is accepted.
  const accepted = firstWhere(starts.length, (n) => !refused(cut(history, starts[n], to), any))
  if (accepted === 0) {
    const operations = withoutUnneeded(cut(history, -Infinity, to), initial)
    return { from: starts[0] ?? 0, to: to ?? 0, initial, operations }
  }
  const from = starts[accepted - 1] ?? 0
  return { from, to: to ?? 0, initial: any, operations: withoutUnneeded(cut(history, from, to), any) }
}

function refused(history: readonly Operation[], initial: Value | { readonly any: true }): boolean {
  return checkKey(history, { initial }).linearizable === false
}

/**
 * The operations between two times. What else they may be explained by is granted: writes that were in flight at either end
 * may have been before it or after it.
 */
function cut(history: readonly Operation[], from = -Infinity, to = Infinity): Operation[] {
  return history.flatMap((one) => {
    if (one.responded < from || one.invoked > to) return []
    if (one.invoked >= from && one.responded <= to) return [one]
    return one.action.kind === 'write' ? [{ ...one, responded: Infinity }] : []
  })
}

/** Leaves out what only observed, wherever the rest is refused without it: the earliest first. */
function withoutUnneeded(
  operations: readonly Operation[],
  initial: Value | { readonly any: true },
): Operation[] {
  let left = operations.toSorted((a, b) => a.invoked - b.invoked)
  for (const one of left.filter(({ action }) => action.kind === 'observe').slice(-OBSERVATIONS_TRIED_MAX)) {
    const fewer = left.filter((other) => other !== one)
    if (refused(fewer, initial)) left = fewer
  }
  return left
}

/** Each costs a check of the window. */
const OBSERVATIONS_TRIED_MAX = 200

function timesOf(history: readonly Operation[], time: (one: Operation) => number): number[] {
  return [...new Set(history.map(time))].filter(Number.isFinite).sort((a, b) => a - b)
}

/** The first of 0 … count − 1 for which it holds, given that it holds from there on; `count` if for none. */
function firstWhere(count: number, holds: (n: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** For people: why the history of a key was refused, with times since the start of the window. */
export function explain(history: readonly Operation[], verdict: Verdict, initial?: Value): string {
  const key = history[0]?.key ?? ''
  if (verdict.linearizable === true) return `${key}: ${history.length} operations, linearizable`
  if (verdict.linearizable === 'undecided') {
    return `${key}: undecided, there are too many orders at ${lineOf(verdict.at, 0)}`
  }
  const { from, to, initial: before, operations } = shortestWindow(history, initial)
  const start =
    typeof before === 'object' ? 'Whatever it held before' : `With ${valueText(before)} at the start`
  return [
    `${key}: not linearizable. ${start}, no order of these ${operations.length} of its ${history.length} operations explains them`,
    `(times in ms; the window lasts ${milliseconds(to - from)}):`,
    ...operations.map((one) => `  ${lineOf(one, from)}`),
  ].join('\n')
}

function lineOf({ client, invoked, responded, action }: Operation, from: number): string {
  const until = responded === Infinity ? 'perhaps later, or never' : milliseconds(responded - from)
  return `${milliseconds(invoked - from).padStart(10)} … ${until.padEnd(10)} ${client.padEnd(8)} ${actionText(action)}`
}

function actionText(action: Action): string {
  if (action.kind === 'observe') return `saw ${conditionText(action.seen)}`
  const what = action.value === undefined ? 'deleted it' : `wrote ${action.value}`
  return action.when === undefined ? what : `${what}, over ${conditionText(action.when)}`
}

function conditionText(condition: Condition): string {
  switch (condition.is) {
    case 'value':
      return valueText(condition.value)
    case 'present':
      return 'some object'
    case 'other':
      return `an object other than ${condition.than}`
    case 'not':
      return `no such object as ${condition.value}`
  }
}

function valueText(value: Value): string {
  return value ?? 'no object'
}

function milliseconds(time: number): string {
  return time.toFixed(1)
}
