import type { Action, Condition, Operation, Value } from './history.ts'

/** Values are numbered: small, and two states of the search compare fast. */
export const ABSENT = 0
/** Some object whose value no operation asks for any more; all such states are one. */
export const ANYTHING = 1
const FIRST_NAMED = 2

/** A {@link Condition} over numbered values. */
export type Guard =
  | { readonly is: 'any' | 'present' }
  | { readonly is: 'value' | 'other' | 'not'; readonly id: number }

/** An operation as the search sees it. */
export interface Step {
  readonly operation: Operation
  readonly index: number
  readonly guard: Guard
  /** The value that it sets; undefined: it sets none. */
  readonly sets: number | undefined
  /** False: it may never take effect. */
  readonly required: boolean
  /** Place of the invocation among the events. */
  readonly invoked: number
  /**
   * Place of the event by which it, and everything that saw its value, must have taken effect; Infinity: none. Of two
   * interchangeable writes the one with the earlier deadline can go first.
   */
  deadline: number
}

/** What the history says of one value. */
export interface ValueFacts {
  /** How many may set it, the initial value counted. */
  setters: number
  /** Those that must find it. */
  readonly users: Step[]
  /** Place of the last of their invocations; -1: there are none. */
  lastUser: number
  /** A refused `If-Match`, or a conditional write, names it: no other value can stand in for it. */
  named: boolean
}

export interface StepEvent {
  readonly step: Step
  readonly kind: 'invoked' | 'responded'
}

export interface Steps {
  /** In order. Steps that may never take effect have no response. */
  readonly events: readonly StepEvent[]
  /** By number. Rows of {@link ABSENT} and {@link ANYTHING} hold nothing. */
  readonly values: readonly ValueFacts[]
  /** Values that the key may hold before the first event. */
  readonly initial: readonly number[]
}

/** The history of one key in the form that is searched. `initial`: what it held before, or 'any'. */
export function prepare(history: readonly Operation[], initial: Value | { readonly any: true }): Steps {
  const ids = new Map<string, number>()
  const idOf = (value: Value): number => {
    if (value === undefined) return ABSENT
    const known = ids.get(value)
    if (known !== undefined) return known
    const id = FIRST_NAMED + ids.size
    ids.set(value, id)
    return id
  }
  // What was only asked, and never answered, says nothing.
  const told = history.filter(({ action, responded }) => action.kind === 'write' || responded !== Infinity)
  const order = told
    .flatMap((operation) => [
      { operation, kind: 'invoked' as const, at: operation.invoked },
      ...(operation.responded === Infinity
        ? []
        : [{ operation, kind: 'responded' as const, at: operation.responded }]),
    ])
    // At equal times invocations first: what may have overlapped counts as overlapping.
    .sort((a, b) => a.at - b.at || Number(a.kind === 'responded') - Number(b.kind === 'responded'))
  const steps = new Map<Operation, Step>()
  const events = order.map(({ operation, kind }, place): StepEvent => {
    const known = steps.get(operation)
    if (known !== undefined) {
      known.deadline = place
      return { step: known, kind }
    }
    const { action } = operation
    const step: Step = {
      operation,
      index: steps.size,
      guard: guardOf(action, idOf),
      sets: action.kind === 'write' ? idOf(action.value) : undefined,
      required: operation.responded !== Infinity,
      invoked: place,
      deadline: Infinity,
    }
    steps.set(operation, step)
    return { step, kind }
  })
  const start = typeof initial === 'object' ? [ABSENT, ANYTHING, ...ids.values()] : [idOf(initial)]
  const values = factsOf([...steps.values()], FIRST_NAMED + ids.size, start)
  return { events, values, initial: start }
}

function guardOf(action: Action, idOf: (value: Value) => number): Guard {
  const condition: Condition | undefined = action.kind === 'write' ? action.when : action.seen
  switch (condition?.is) {
    case undefined:
      return { is: 'any' }
    case 'present':
      return { is: 'present' }
    case 'value':
      return { is: 'value', id: idOf(condition.value) }
    case 'other':
      return { is: 'other', id: idOf(condition.than) }
    case 'not':
      return { is: 'not', id: idOf(condition.value) }
  }
}

function factsOf(steps: readonly Step[], count: number, initial: readonly number[]): ValueFacts[] {
  const values = Array.from({ length: count }, (_, id): ValueFacts => ({
    setters: initial.includes(id) ? 1 : 0,
    users: [],
    lastUser: -1,
    named: false,
  }))
  for (const step of steps) {
    const { guard, sets } = step
    const set = sets === undefined ? undefined : values[sets]
    if (set !== undefined) set.setters++
    const asked = 'id' in guard && guard.id >= FIRST_NAMED ? values[guard.id] : undefined
    if (asked === undefined) continue
    if (guard.is !== 'value' || sets !== undefined) asked.named = true
    if (guard.is === 'value' && step.required) {
      asked.users.push(step)
      asked.lastUser = Math.max(asked.lastUser, step.invoked)
    }
  }
  for (const step of steps) {
    const set = step.sets === undefined ? undefined : values[step.sets]
    if (set?.setters !== 1) continue
    step.deadline = Math.min(step.deadline, ...set.users.map(({ deadline }) => deadline))
  }
  return values
}
