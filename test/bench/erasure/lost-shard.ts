import type { Code } from '../../../core/erasure/code.ts'
import { createKernel } from '../../../core/erasure/kernel.ts'
import { sourcesFor } from '../../../core/erasure/repair.ts'
import { groupId } from '../../../core/placement/group.ts'
import { chooseSlots, type PlacementNode } from '../../../core/placement/rendezvous.ts'
import { type NodeState, type ZoneLoss, zoneLoss } from '../../../core/placement/zone-loss.ts'
import { bestOf } from '../measure.ts'
import { markdownTable } from '../table.ts'
import { contestant, type Measured, range, type Settings, stripesOf } from './stripes.ts'

const ZONES = 3
/** Enough for each zone to come first in some. */
const GROUPS = 32

/** A code's groups on three zones with as many nodes as one group needs, all alike. */
interface Layout {
  readonly nodes: readonly (PlacementNode & NodeState)[]
  /** Node ids by shard. */
  readonly groups: readonly (readonly string[])[]
}

interface Reads {
  /** Shards to read for the one that is lost. */
  readonly sources: readonly number[]
  /** Those of them that lie in other zones than it. */
  readonly across: number
}

/**
 * What the repair of one lost shard takes, a row a code: how many shards are read, and how many of them come from other zones,
 * is the mean over all shards of all groups, by placement and by the repair's own choice of sources. Shards being equal, that is
 * also bytes read for each byte made.
 */
export function lostShardTable(codes: readonly Code[], settings: Settings): string {
  const entries = codes.map((code) => {
    const layout = layoutOf(code)
    return { code, layout, made: restoring(code, layout, settings) }
  })
  const seconds = bestOf(
    entries.map(({ made }) => made),
    settings.rounds,
  )
  const rows = entries.map(({ code, layout, made }, i) => {
    const reads = layout.groups.flatMap((slots) =>
      range(0, code.total).map((shard) => readsOf(code, layout, slots, shard)),
    )
    const losses = zoneLoss({ m: code.m, code, groups: layout.groups }, layout.nodes)
    return [
      code.name,
      `${(code.total / code.k).toFixed(2)}×`,
      String(code.m),
      afterZone(losses),
      mean(reads.map(({ sources }) => sources.length)),
      mean(reads.map(({ across }) => across)),
      (made.bytes / code.k / (seconds[i] ?? 0) / 1e9).toFixed(1),
    ]
  })
  return markdownTable(HEAD, rows)
}

const HEAD = ['code', 'stored', 'any lost', 'a zone of 3', 'shards read', 'across zones', 'GB/s made']

/** The first shard, of what is read for it. */
function restoring(code: Code, layout: Layout, settings: Settings): Measured {
  const stripes = stripesOf(code, settings, true)
  const kernel = createKernel(code, stripes.memory)
  const { sources } = readsOf(code, layout, layout.groups[0] ?? [], 0)
  return contestant(code, stripes, settings, (slot) => {
    kernel.reconstruct(stripes.slots[slot] ?? [], sources, [0], settings.shardBytes)
  })
}

function layoutOf(code: Code): Layout {
  const perZone = Math.ceil(code.total / ZONES)
  const nodes = range(0, ZONES * perZone).map((i) => ({
    id: `node-${i}`,
    zone: `zone-${i % ZONES}`,
    weight: 1,
    up: true,
  }))
  const groups = range(0, GROUPS).map((index) => chooseSlots(groupId(1, index), code.total, nodes))
  return { nodes, groups }
}

/** As repair chooses: the lost shard's own zone first. */
function readsOf(code: Code, { nodes }: Layout, slots: readonly string[], lost: number): Reads {
  const zoneOf = (shard: number): string | undefined => nodes.find(({ id }) => id === slots[shard])?.zone
  const near = (shard: number): boolean => zoneOf(shard) === zoneOf(lost)
  const others = range(0, code.total).filter((shard) => shard !== lost)
  const available = [...others.filter(near), ...others.filter((shard) => !near(shard))]
  const sources = sourcesFor(code, [lost], available) ?? []
  return { sources, across: sources.filter((shard) => !near(shard)).length }
}

function afterZone(losses: readonly ZoneLoss[]): string {
  if (!losses.every(({ survives }) => survives)) return 'no'
  return losses.every(({ survivesOneMoreNode }) => survivesOneMoreNode) ? 'and a node' : 'yes'
}

function mean(values: readonly number[]): string {
  return (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(2)
}
