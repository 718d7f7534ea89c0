/** One blob as its record, its shards and the map have it: what disagrees. Pure. */

import { parseCode, type Code } from '../../core/erasure/code.ts'
import { stripeAt, stripeCount } from '../../core/erasure/layout.ts'
import { shardsToSpare } from '../../core/erasure/repair.ts'
import { relocatedTo } from '../../core/placement/relocation.ts'
import type { BlobRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { ShardOwner } from '../../proto/shard-transport.ts'
import type { Place } from '../blob/identify.ts'
import type { HeldShard } from '../blob/plan.ts'
import type { WorkView } from '../cluster/view.ts'
import type { Disagreement, Finding, ShardAt } from './finding.ts'

/** A shard as a node lists it, with what its own record says. */
export interface DescribedShard extends HeldShard {
  /** Undefined: the node could not tell. */
  readonly owner: ShardOwner | undefined
}

/** A blob that a record names. */
export interface LiveLook {
  readonly place: Place
  readonly record: BlobRecord
  /** Group in which the shards lie. */
  readonly group: number
  /** All that the listed nodes have of it. */
  readonly held: readonly DescribedShard[]
  /** Nodes that gave their lists. */
  readonly listed: ReadonlySet<string>
  readonly view: WorkView
}

export interface Compared {
  readonly findings: readonly Finding[]
  /** Shards that are not seen, and may be on nodes that could not be looked at. */
  readonly unseen: number
}

export function compareLive(look: LiveLook): Compared {
  const { record, group, held, view, place } = look
  const about = { place, group, blob: record.id }
  const slots = view.groups.get(record.group)?.slots
  if (slots === undefined) {
    const detail = `its placement group ${record.group} is of no pool: nobody finds its shards`
    return { findings: [{ kind: 'no-pool', detail, ...about }], unseen: 0 }
  }
  if (group !== record.group && held.length > 0) {
    const detail = `its record says group ${record.group}`
    return { findings: [{ kind: 'other-group', detail, ...about, shards: held.map(at) }], unseen: 0 }
  }
  const code = parseCode(record.code)
  const lies = disowned(look, code)
  // Readers do not ask a shard whose it is.
  const sound = held.filter((one) => !one.damaged && (lies.get(one) ?? 'other-owner') === 'other-owner')
  const { missing, spare, unseen } = whatIsMissing(look, code, sound)
  const findings = [...findingsOf(look, lies), ...placement(look, code, sound)]
  if (missing.length > 0) {
    const kind = spare < 0 ? 'unreadable' : 'degraded'
    const rest = spare < 0 ? `${-spare} too few to read it` : `${spare} to spare`
    const detail = `${missing.length} of its ${stripeCount(code, Number(record.size)) * code.total} shards are missing, ${rest}`
    findings.unshift({ kind, detail, ...about, spare, shards: missing })
  }
  return { findings, unseen }
}

/** Shards that do not say what the record says, with the first thing that differs. */
function disowned({ place, record, held }: LiveLook, code: Code): Map<DescribedShard, Disagreement> {
  const lies = new Map<DescribedShard, Disagreement>()
  const size = Number(record.size)
  const stripes = stripeCount(code, size)
  for (const one of held) {
    const { owner, stripe, bytes } = one
    const within = stripe < stripes && one.shard < code.total
    if (owner !== undefined && !sameOwner(owner, place)) lies.set(one, 'other-owner')
    else if (owner !== undefined && owner.code !== record.code) lies.set(one, 'other-code')
    else if (owner !== undefined && !sizeFits(owner.blobBytes, size, stripe === stripes - 1)) {
      lies.set(one, 'other-size')
    } else if (within && bytes !== stripeAt(code, size, stripe).shardBytes) lies.set(one, 'other-size')
  }
  return lies
}

export function sameOwner(owner: ShardOwner, place: Place): boolean {
  const { bucket, key, version, part, annotation = '' } = owner
  return (
    bucket === place.bucket &&
    key === place.key &&
    version === place.version &&
    part === place.part &&
    annotation === place.annotation
  )
}

/** What the shards say of a blob's size is exact in its last stripe; before that, it may be a bound (store/write/blob-write.ts). */
function sizeFits(said: number, size: number, last: boolean): boolean {
  return last ? said === size : said >= size
}

/** What such a shard says, for people. */
function saying(kind: Disagreement, { owner, bytes }: DescribedShard): string {
  if (owner === undefined) return `they are of ${bytes} bytes each`
  const { bucket, key, version, part, annotation, code, blobBytes } = owner
  switch (kind) {
    case 'other-owner': {
      const more = annotation === undefined ? '' : ` annotation ${annotation}`
      return `they say ${bucket}/${key} version ${version} part ${part}${more}`
    }
    case 'other-code':
      return `they say code ${code}`
    default:
      return `they say a blob of ${blobBytes} bytes, in shards of ${bytes}`
  }
}

function findingsOf(
  { place, record, group }: LiveLook,
  lies: ReadonlyMap<DescribedShard, Disagreement>,
): Finding[] {
  return [...Map.groupBy(lies, ([, kind]) => kind)].map(([kind, those]) => {
    const [first] = those
    const detail = first === undefined ? '' : saying(kind, first[0])
    const shards = those.map(([one]) => at(one))
    return { kind, detail, place, group, blob: record.id, shards }
  })
}

/** The nodes where readers look for a shard, the first of them being where it belongs. */
function places({ record, view }: LiveLook, stripe: number, shard: number): readonly string[] {
  const slot = view.groups.get(record.group)?.slots[shard]
  const moved = relocatedTo(record.relocations, shard, stripe)
  const all = [moved, slot?.node, slot?.source].filter((node) => node !== undefined && node !== '')
  return all.filter((node) => node !== undefined)
}

function whatIsMissing(
  look: LiveLook,
  code: Code,
  sound: readonly DescribedShard[],
): { readonly missing: readonly ShardAt[]; readonly spare: number; readonly unseen: number } {
  const there = new Set(sound.map(({ stripe, shard }) => `${stripe}/${shard}`))
  const missing: ShardAt[] = []
  let spare = code.m
  let unseen = 0
  for (let stripe = 0; stripe < stripeCount(code, Number(look.record.size)); stripe++) {
    const lost: number[] = []
    for (let shard = 0; shard < code.total; shard++) {
      if (there.has(`${stripe}/${shard}`)) continue
      const nodes = places(look, stripe, shard)
      if (nodes.some((node) => mayHave(look, node))) unseen++
      else {
        lost.push(shard)
        missing.push({ node: nodes[0] ?? '', stripe, shard })
      }
    }
    spare = Math.min(spare, shardsToSpare(code, lost))
  }
  return { missing, spare, unseen }
}

function mayHave({ listed, view }: LiveLook, node: string): boolean {
  const known = view.nodes.get(node)
  return known !== undefined && !known.lost && !listed.has(node)
}

/** Shards that are not where they belong, and those that are damaged. */
function placement(look: LiveLook, code: Code, sound: readonly DescribedShard[]): Finding[] {
  const { place, record, group, held } = look
  const stripes = stripeCount(code, Number(record.size))
  const kinds = new Map<HeldShard, Disagreement>()
  const soundAt = Map.groupBy(sound, ({ stripe, shard }) => `${stripe}/${shard}`)
  for (const one of held) {
    const { node, stripe, shard, damaged } = one
    if (stripe >= stripes || shard >= code.total) kinds.set(one, 'surplus')
    else if (damaged) kinds.set(one, 'damaged')
    else {
      const belongs = places(look, stripe, shard)
      if (belongs.includes(node)) continue
      const others = soundAt.get(`${stripe}/${shard}`) ?? []
      kinds.set(one, others.some((other) => belongs.includes(other.node)) ? 'duplicate' : 'misplaced')
    }
  }
  return [...Map.groupBy(kinds, ([, kind]) => kind)].map(([kind, those]) => ({
    kind,
    detail: PLACE_DETAILS[kind] ?? '',
    place,
    group,
    blob: record.id,
    shards: those.map(([one]) => at(one)),
  }))
}

const PLACE_DETAILS: Partial<Record<Disagreement, string>> = {
  surplus: 'the blob has no such shards',
  damaged: 'their nodes know that they cannot be read',
  duplicate: 'they are also where they belong',
  misplaced: 'they are on nodes where readers do not look for them',
}

/** The findings of a blob that no record names. */
export function describeStray(kind: 'orphan' | 'unowned', { group, blob, place, held }: StrayBlob): Finding {
  const stripes = new Set(held.map(({ stripe }) => stripe)).size
  const detail =
    kind === 'orphan'
      ? `no record names it: ${held.length} shards of ${stripes} stripes, ${bytesOf(held)} bytes`
      : `no node can say whose these ${held.length} shards are`
  return { kind, detail, group, blob, shards: held.map(at), ...(place === undefined ? {} : { place }) }
}

export interface StrayBlob {
  readonly group: number
  readonly blob: string
  readonly place: Place | undefined
  readonly held: readonly HeldShard[]
}

function bytesOf(held: readonly HeldShard[]): number {
  return held.reduce((sum, { bytes }) => sum + bytes, 0)
}

function at({ node, stripe, shard }: HeldShard): ShardAt {
  return { node, stripe, shard }
}
