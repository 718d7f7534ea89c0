import type { Chance } from '../chaos/seeded.ts'
import { holds, type Action, type Condition, type Operation, type Value } from './history.ts'

export interface SimulationOptions {
  readonly clients: number
  readonly operations: number
  /** Of the writes, how many never hear what became of them. */
  readonly unknown: number
}

/**
 * A correct register under concurrent clients: every operation takes effect at one moment between its invocation and its
 * answer; one whose outcome is unknown at some moment after its invocation, or never. In the end everything has been
 * answered and one read is made.
 */
export function simulateRegister(chance: Chance, options: SimulationOptions): Operation[] {
  const history: Operation[] = []
  const effects: { readonly at: number; readonly take: () => void }[] = []
  let value: Value
  let last: Value
  let written = 0

  /** What an operation does when it takes effect; a refused one turns into an observation. */
  const request = (): (() => Action) => {
    const kind = chance.next()
    if (kind < 0.45) return () => ({ kind: 'observe', seen: { is: 'value', value } })
    const sets = kind < 0.6 ? undefined : `v${++written}`
    const asked = chance.next()
    let when: Condition | undefined
    if (asked < 0.2 && sets !== undefined) when = { is: 'value', value: undefined }
    else if (asked < 0.5 && last !== undefined) when = { is: 'value', value: last }
    return () => {
      if (when?.is === 'value' && !holds(when, value)) return { kind: 'observe', seen: refusal(when, value) }
      value = sets
      last = sets ?? last
      return { kind: 'write', value: sets, ...(when !== undefined && { when }) }
    }
  }

  const free = Array.from({ length: options.clients }, (_client, index) => ({ client: `c${index}`, at: 0 }))
  for (let n = 0; n < options.operations; n++) {
    free.sort((a, b) => a.at - b.at)
    const next = free[0]
    if (next === undefined) break
    const invoked = next.at + chance.next()
    const act = request()
    const responded = invoked + 0.1 + 5 * chance.next()
    const lost = chance.next() < options.unknown
    const at = lost ? invoked + 20 * chance.next() : invoked + (responded - invoked) * chance.next()
    next.at = responded
    const about = { key: 'key', client: next.client, invoked }
    effects.push({
      at,
      take: () => {
        if (lost && chance.next() < 0.5) return
        history.push({ ...about, responded: lost ? Infinity : responded, action: act() })
      },
    })
  }
  for (const { take } of effects.sort((a, b) => a.at - b.at)) take()
  const end = Math.max(0, ...free.map(({ at }) => at), ...effects.map(({ at }) => at)) + 1
  history.push({
    key: 'key',
    client: 'last',
    invoked: end,
    responded: end + 1,
    action: { kind: 'observe', seen: { is: 'value', value } },
  })
  return history
}

function refusal(when: Condition, value: Value): Condition {
  if (value === undefined) return { is: 'value', value: undefined }
  return when.is === 'value' && when.value !== undefined
    ? { is: 'other', than: when.value }
    : { is: 'present' }
}
