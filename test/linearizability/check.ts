import type { Operation, Value } from './history.ts'
import { ABSENT, ANYTHING, prepare, type Guard, type Step, type Steps } from './steps.ts'

/**
 * Whether the history of one key is linearizable: Lowe's just-in-time search ("Testing for linearizability", 2017). It goes
 * over the events in order and keeps every configuration the register may be in: its value, and which of the operations in
 * flight have taken effect. At an answer, operations in flight take effect until the answered one has; configurations in which
 * it cannot have are given up. When none is left, no order explains the history up to there.
 *
 * Equal configurations are kept once. Four more rules, none of which changes the verdict, keep them few:
 * 1. What only observes takes effect at the first moment at which it may: it changes nothing.
 * 2. A value that only one operation sets is not overwritten while somebody who must see it has not yet.
 * 3. Interchangeable writes (of values that nobody still in the future sees; deletes) go in the order of their deadlines.
 * 4. A configuration in which fewer of the operations that may never take effect were used, and more observed, makes another
 *    of the same value superfluous: whatever that one can go on with, it can.
 */
export type Verdict =
  | { readonly linearizable: true }
  /** `at`: where the search ended; no later than at the answer that nothing explains. */
  | { readonly linearizable: false; readonly at: Operation }
  /** There were too many configurations to follow. */
  | { readonly linearizable: 'undecided'; readonly at: Operation }

export interface CheckOptions {
  /** What the key held before; 'any': it may have held whatever is asked for. Default: nothing. */
  readonly initial?: Value | { readonly any: true }
  /** Configurations at one event from which on the history is left undecided. */
  readonly configurationsMax?: number
}

/** Some hundred megabytes and some seconds; histories of twenty clients on one key take a few hundred. */
const CONFIGURATIONS_MAX = 100_000

/**
 * @param history operations of one key
 */
export function checkKey(history: readonly Operation[], options: CheckOptions = {}): Verdict {
  return new Search(prepare(history, options.initial), options.configurationsMax ?? CONFIGURATIONS_MAX).run()
}

interface Configuration {
  readonly value: number
  /** Bits of the operations in flight that have taken effect. */
  readonly done: bigint
}

class Search {
  readonly #steps: Steps
  readonly #max: number
  /** Operations in flight with their bits. What may never take effect stays in flight. */
  readonly #bits = new Map<Step, bigint>()
  readonly #freeBits: bigint[] = []
  /** Those of them that set a value, and those that do not. */
  readonly #writes = new Set<Step>()
  readonly #observations = new Set<Step>()
  /** Bits of the observations, and of the writes that may never take effect. */
  #observing = 0n
  #optional = 0n
  /** Place of the event that is looked at. */
  #now = 0
  #configurations: readonly Configuration[]

  constructor(steps: Steps, max: number) {
    this.#steps = steps
    this.#max = max
    this.#configurations = steps.initial.map((value) => ({ value, done: 0n }))
  }

  run(): Verdict {
    for (const [place, { step, kind }] of this.#steps.events.entries()) {
      this.#now = place
      if (kind === 'invoked') {
        this.#invoke(step)
        continue
      }
      const next = this.#answer(step)
      if (next === undefined) return { linearizable: 'undecided', at: step.operation }
      if (next.length === 0) return { linearizable: false, at: step.operation }
      this.#configurations = next
    }
    return { linearizable: true }
  }

  #invoke(step: Step): void {
    const bit = this.#freeBits.pop() ?? 1n << BigInt(this.#bits.size)
    this.#bits.set(step, bit)
    if (step.sets === undefined) {
      this.#observations.add(step)
      this.#observing |= bit
    } else {
      this.#writes.add(step)
      if (!step.required) this.#optional |= bit
    }
    const kept = this.#noConfigurations()
    for (const { value, done } of this.#configurations) kept.add(this.#settled(value, done))
    this.#configurations = kept.all()
  }

  /** The configurations in which the step has taken effect, or does now; undefined: too many. */
  #answer(step: Step): readonly Configuration[] | undefined {
    const bit = this.#bits.get(step) ?? 0n
    // First in, first out: what took fewer writes comes first, and makes what took more superfluous.
    const reached = this.#noConfigurations()
    const queue = this.#configurations.filter((one) => reached.add(one))
    for (const next of queue) {
      if ((next.done & bit) !== 0n) continue
      for (const successor of this.#successors(next)) if (reached.add(successor)) queue.push(successor)
      if (queue.length > this.#max) return undefined
    }
    this.#bits.delete(step)
    this.#freeBits.push(bit)
    this.#writes.delete(step)
    this.#observations.delete(step)
    this.#observing &= ~bit
    const kept = this.#noConfigurations()
    for (const { value, done } of reached.all()) {
      if ((done & bit) !== 0n) kept.add(this.#settled(value, done & ~bit))
    }
    return kept.all()
  }

  /** One more write takes effect. */
  *#successors({ value, done }: Configuration): Generator<Configuration> {
    const waiting = this.#waitingFor(value, done)
    if (waiting === undefined) return
    let put: Step | undefined
    let removal: Step | undefined
    for (const step of this.#writes) {
      if ((done & this.#bitOf(step)) !== 0n || !permits(step.guard, value)) continue
      if (waiting.some((other) => other !== step)) continue
      if (!this.#isInterchangeable(step)) yield this.#after(step, done)
      else if (step.sets === ABSENT) removal = earlier(removal, step)
      else put = earlier(put, step)
    }
    if (put !== undefined) yield this.#after(put, done)
    if (removal !== undefined) yield this.#after(removal, done)
  }

  /** Rule 2: writes that must find this value, which cannot come back; undefined: others are still to come who must. */
  #waitingFor(value: number, done: bigint): readonly Step[] | undefined {
    const facts = this.#steps.values[value]
    if (value <= ANYTHING || facts === undefined || facts.setters > 1) return []
    if (facts.lastUser > this.#now) return undefined
    return facts.users.filter((user) => this.#writes.has(user) && (done & this.#bitOf(user)) === 0n)
  }

  /** Rule 3. */
  #isInterchangeable({ guard, sets = ABSENT }: Step): boolean {
    if (guard.is !== 'any') return false
    if (sets === ABSENT) return true
    const facts = this.#steps.values[sets]
    if (facts === undefined || facts.named) return false
    return facts.users.length === 0 || (facts.setters === 1 && facts.lastUser <= this.#now)
  }

  #after(step: Step, done: bigint): Configuration {
    return this.#settled(step.sets ?? ABSENT, done | this.#bitOf(step))
  }

  /** Rule 1; a value that nobody asks for any more loses its name. */
  #settled(value: number, done: bigint): Configuration {
    let all = done
    for (const step of this.#observations) if (permits(step.guard, value)) all |= this.#bitOf(step)
    const facts = this.#steps.values[value]
    const forgotten = facts !== undefined && !facts.named && facts.lastUser <= this.#now
    return { value: value > ANYTHING && forgotten ? ANYTHING : value, done: all }
  }

  #bitOf(step: Step): bigint {
    return this.#bits.get(step) ?? 0n
  }

  #noConfigurations(): Configurations {
    return new Configurations(this.#observing, this.#optional)
  }
}

/** Rule 4: only those that no other makes superfluous. */
class Configurations {
  readonly #observing: bigint
  readonly #optional: bigint
  readonly #groups = new Map<string, Configuration[]>()

  constructor(observing: bigint, optional: bigint) {
    this.#observing = observing
    this.#optional = optional
  }

  /** False: superfluous. */
  add(one: Configuration): boolean {
    const name = `${one.value} ${one.done & ~(this.#observing | this.#optional)}`
    const group = this.#groups.get(name) ?? []
    if (group.some((other) => this.#isAsGood(other, one))) return false
    this.#groups.set(name, [...group.filter((other) => !this.#isAsGood(one, other)), one])
    return true
  }

  all(): Configuration[] {
    return [...this.#groups.values()].flat()
  }

  #isAsGood(a: Configuration, b: Configuration): boolean {
    return (a.done & this.#optional & ~b.done) === 0n && (b.done & this.#observing & ~a.done) === 0n
  }
}

function permits(guard: Guard, value: number): boolean {
  switch (guard.is) {
    case 'any':
      return true
    case 'present':
      return value !== ABSENT
    case 'value':
      return value === guard.id
    case 'other':
      return value !== ABSENT && value !== guard.id
    case 'not':
      return value !== guard.id
  }
}

function earlier(a: Step | undefined, b: Step): Step {
  if (a === undefined || b.deadline < a.deadline) return b
  return b.deadline === a.deadline && b.index < a.index ? b : a
}
