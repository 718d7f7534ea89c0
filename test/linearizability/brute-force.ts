import { holds, type Operation, type Value } from './history.ts'

/** Tries every order there is: the definition itself, for histories of one key of a few operations. */
export function isLinearizable(history: readonly Operation[], initial: Value): boolean {
  const left = new Set(history)

  function goOn(value: Value): boolean {
    const rest = [...left]
    if (rest.every(({ responded }) => responded === Infinity)) return true
    // What comes next may not have been sent after something that comes later had been answered.
    const firstAnswer = Math.min(...rest.map(({ responded }) => responded))
    for (const operation of rest) {
      if (operation.invoked > firstAnswer) continue
      const { action } = operation
      const condition = action.kind === 'write' ? action.when : action.seen
      if (condition !== undefined && !holds(condition, value)) continue
      left.delete(operation)
      const found = goOn(action.kind === 'write' ? action.value : value)
      left.add(operation)
      if (found) return true
    }
    return false
  }

  return goOn(initial)
}
