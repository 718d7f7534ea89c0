/** What a code needs to bring back lost shards, and what it can still lose. Pure. */

import { LOCAL_CODE_LOSSES_MAX } from '../limits.ts'
import type { Code } from './code.ts'
import { fewestFatal, localGroupOf, localMembers, survives } from './local.ts'
import { generatorMatrix } from './generator.ts'
import { RowSpace } from './row-space.ts'

/**
 * The shards to read so that all of `wanted` can be computed, or `undefined` when `available` does not suffice. As few as
 * there can be, then the earliest in `available`.
 *
 * @param available in order of preference; none of `wanted` among them
 * @param held of the available, those that are at hand and cost nothing: as few besides these as there can be
 */
export function sourcesFor(
  code: Code,
  wanted: readonly number[],
  available: readonly number[],
  held: readonly number[] = [],
): readonly number[] | undefined {
  if (wanted.length === 0) return []
  const ordered = held.length === 0 ? available : [...held, ...available.filter((i) => !held.includes(i))]
  if (code.local === undefined) return ordered.length < code.k ? undefined : ordered.slice(0, code.k)
  const local = localSources(code, wanted, ordered)
  const global = basisOf(code, ordered)
  if (local === undefined || global === undefined) return local ?? global
  const cost = (sources: readonly number[]): number => sources.filter((i) => !held.includes(i)).length
  const [ofLocal, ofGlobal] = [cost(local), cost(global)]
  if (ofLocal !== ofGlobal) return ofLocal < ofGlobal ? local : global
  return local.length <= global.length ? local : global
}

/**
 * The shards of a shard's local group, itself included, any one of which can be computed of the others alone; `undefined` for
 * codes without such groups.
 */
export function localGroup({ local }: Code, shard: number): readonly number[] | undefined {
  return local === undefined ? undefined : localMembers(local, localGroupOf(local, shard))
}

/** Whether a stripe without `lost` (each once) can be read. */
export function isReadable(code: Code, lost: readonly number[]): boolean {
  if (lost.length <= code.m) return true
  const { local } = code
  if (local === undefined || lost.length > code.total - code.k) return false
  return remember(readable, code, lost, () => survives(local, lost))
}

/**
 * How many more shards, whichever, a stripe without `lost` (each once) can lose and still be read; negative: it cannot be
 * read, by as many shards as are missing.
 */
export function shardsToSpare(code: Code, lost: readonly number[]): number {
  const { local } = code
  if (local === undefined || lost.length === 0) return code.m - lost.length
  return remember(spare, code, lost, () => {
    if (isReadable(code, lost)) return fewestFatal(local, lost, Math.max(1, code.m + 1 - lost.length)) - 1
    const rows = new RowSpace(generatorMatrix(code))
    for (let shard = 0; shard < code.total; shard++) if (!lost.includes(shard)) rows.add(shard)
    return rows.members.length - code.k
  })
}

/** The rest of the wanted shards' groups, where each group lacks but one. */
function localSources(
  code: Code,
  wanted: readonly number[],
  available: readonly number[],
): number[] | undefined {
  const sources = new Set<number>()
  for (const shard of wanted) {
    for (const member of localGroup(code, shard) ?? []) if (member !== shard) sources.add(member)
  }
  const found = available.filter((shard) => sources.has(shard))
  return found.length === sources.size ? found : undefined
}

/** The first k of the available shards that say different things, which is all there is to know. */
function basisOf(code: Code, available: readonly number[]): readonly number[] | undefined {
  if (available.length < code.k) return undefined
  const rows = new RowSpace(generatorMatrix(code))
  for (const shard of available) {
    rows.add(shard)
    if (rows.members.length === code.k) return rows.members
  }
  return undefined
}

type Memory<T> = Map<string, Map<number, T>>

const readable: Memory<boolean> = new Map()
const spare: Memory<number> = new Map()

/** Of a set of losses it is asked again and again: by each stripe that is written while the same nodes are down. */
function remember<T>(memory: Memory<T>, code: Code, lost: readonly number[], answer: () => T): T {
  let known = memory.get(code.name)
  if (known === undefined) {
    known = new Map()
    memory.set(code.name, known)
  }
  const set = lost.reduce((bits, shard) => bits | (1 << shard), 0)
  const before = known.get(set)
  if (before !== undefined) return before
  const now = answer()
  if (known.size >= LOCAL_CODE_LOSSES_MAX) known.clear()
  known.set(set, now)
  return now
}
