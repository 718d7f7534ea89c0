import { parseCode } from '../../core/erasure/code.ts'
import { acknowledge } from '../../core/placement/acknowledge.ts'
import { chooseSubstitute } from '../../core/placement/substitute.ts'
import type { Pool } from '../../proto/gen/ashlar/v1/cluster_pb.js'

export interface WriteNode {
  readonly id: string
  readonly zone: string
  /** Up, and takes writes. */
  readonly writable: boolean
}

/**
 * Whether a write to any group of the pool could be acknowledged with these nodes: the store's own rules for substitutes
 * and acknowledgement, played through without sending anything.
 */
export function couldWrite(pool: Pool, nodes: readonly WriteNode[]): boolean {
  const code = parseCode(pool.code)
  const zones = new Map(nodes.map(({ id, zone }) => [id, zone]))
  const candidates = nodes.filter(({ writable }) => writable)
  const takes = new Set(candidates.map(({ id }) => id))
  return pool.groups.every((group) => {
    const slots = group.slots.map(({ node }) => node)
    const loads = new Map<string, number>()
    const add = (id: string) => loads.set(id, (loads.get(id) ?? 0) + 1)
    for (const id of slots) if (takes.has(id)) add(id)
    const stored = slots.map((id) => {
      if (takes.has(id)) return id
      const question = {
        code,
        zone: zones.get(id),
        candidates,
        loads,
        liveNodes: candidates.length,
        seed: '',
      }
      const substitute = chooseSubstitute(question)
      if (substitute !== undefined) add(substitute)
      return substitute
    })
    return acknowledge(code, slots, stored) !== 'refused'
  })
}
