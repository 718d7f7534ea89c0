/**
 * Max-min fairness: everybody gets what they ask for, up to a level that is the same for all who ask for more. Source: Bertsekas
 * and Gallager, Data Networks, §6.5.2 ("water-filling").
 *
 * @param demands in any order; infinity for those who would take whatever they get
 * @returns the level; infinity where all get what they ask for, and something is left
 */
export function fairLevel(capacity: number, demands: readonly number[]): number {
  let left = capacity
  let asking = demands.length
  for (const demand of demands.toSorted((a, b) => a - b)) {
    if (demand >= left / asking) return left / asking
    left -= demand
    asking--
  }
  return Number.POSITIVE_INFINITY
}
