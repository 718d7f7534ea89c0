import type { GetPartitionsReply } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { PartitionMap, Position } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { formatBytes, formatCount, formatSpan, table } from '../format.ts'

/** Characters of a position that a table shows. */
const POSITION_CHARACTERS = 40

/** Seconds over which a rate is told. */
const RATE_SECONDS = 10

/** How metadata is divided, for people and as JSON. */
export interface PartitionsStatus {
  readonly version: number
  readonly rootOwner: string | null
  readonly coordinationEngine: string
  readonly partitions: readonly PartitionStatus[]
  readonly members: readonly MemberStatus[]
}

/** What is null is not known: nobody has told the coordinator yet. */
export interface PartitionStatus {
  readonly id: number
  /** Inclusive. */
  readonly start: PlainPosition
  /** Exclusive; null: to the end of everything. */
  readonly end: PlainPosition | null
  readonly engine: string
  readonly owner: string | null
  readonly outboxes: readonly number[]
  readonly writesPerSecond: number | null
  readonly readsPerSecond: number | null
  /** Requests beyond the rate it is held to, since it is what it is. */
  readonly refused: number | null
  /** Tasks. */
  readonly garbageWaiting: number | null
  readonly repairsWaiting: number | null
  /** Estimated. */
  readonly entries: number | null
  readonly bytes: number | null
}

export interface MemberStatus {
  readonly id: string
  readonly address: string
  readonly state: 'up' | 'leaving'
  readonly root: boolean
  readonly partitions: number
  readonly engines: readonly string[]
  readonly uptimeSeconds: number
}

interface PlainPosition {
  readonly bucket: string
  readonly key: string
}

/** @param nowMs Unix time */
export function assessPartitions(reply: GetPartitionsReply, nowMs: number): PartitionsStatus {
  const { map, members, loads } = reply
  const partitions = map?.partitions ?? []
  return {
    version: Number(map?.version ?? 0n),
    rootOwner: named(map?.rootOwner),
    coordinationEngine: map?.coordinationEngine ?? '',
    partitions: partitions.map(({ id, start, engine, owner, outboxes }, index) => {
      const load = loads.find((one) => one.id === id)
      const next = partitions[index + 1]
      return {
        id: Number(id),
        start: plain(start),
        end: next === undefined ? null : plain(next.start),
        engine,
        owner: named(owner),
        outboxes: outboxes.map(Number),
        writesPerSecond: lately(load?.writes),
        readsPerSecond: lately(load?.reads),
        refused: numberOf(load?.refused),
        garbageWaiting: numberOf(load?.garbageWaiting),
        repairsWaiting: numberOf(load?.repairsWaiting),
        entries: numberOf(load?.entries),
        bytes: numberOf(load?.bytes),
      }
    }),
    members: members.map(({ id, address, leaving, engines, startedMs }) => ({
      id,
      address,
      state: leaving ? 'leaving' : 'up',
      root: map?.rootOwner === id,
      partitions: partitions.filter(({ owner }) => owner === id).length,
      engines,
      uptimeSeconds: Math.max(0, Math.round((nowMs - Number(startedMs)) / 1000)),
    })),
  }
}

/** `ashlar partition list`. */
export function renderPartitions({ version, partitions, members, rootOwner }: PartitionsStatus): string {
  const rows = partitions.map((one) => [
    String(one.id),
    positionText(one.start),
    one.end === null ? 'end' : positionText(one.end),
    one.engine,
    one.owner ?? '(nobody)',
    rate(one.writesPerSecond),
    rate(one.readsPerSecond),
    one.entries === null ? '-' : formatCount(one.entries),
    one.bytes === null ? '-' : formatBytes(one.bytes),
    outboxText(one),
  ])
  const processes = members.map((one) => [
    one.id,
    one.address === '' ? '(in its process)' : one.address,
    one.root ? `${one.state}, coordinator` : one.state,
    String(one.partitions),
    one.engines.join(', '),
    formatSpan(one.uptimeSeconds),
  ])
  const owners = [rootOwner, ...partitions.map(({ owner }) => owner)].filter((owner) => owner !== null)
  const away = [...new Set(owners)].filter((owner) => members.every(({ id }) => id !== owner))
  const head = ['ID', 'FROM', 'TO', 'ENGINE', 'OWNER', 'WRITES/S', 'READS/S', 'ENTRIES', 'BYTES', 'OUTBOX']
  return lines([
    `Partitions, map ${version}`,
    ...table([head, ...rows]).map((line) => `  ${line}`),
    '',
    'Metadata processes',
    ...table([['NODE', 'ADDRESS', 'STATE', 'PARTITIONS', 'ENGINES', 'UP FOR'], ...processes]).map(
      (line) => `  ${line}`,
    ),
    ...(rootOwner === null ? ['Warning: nobody owns the root: the cluster cannot be changed now'] : []),
    ...away.map((owner) => `Warning: ${owner} owns part of metadata, and is not heard of`),
  ])
}

/** The map after a change, with what the change held up. */
export function renderChanged(done: string, map: PartitionMap | undefined, heldMs: number): string {
  const partitions = map?.partitions ?? []
  return lines([
    `${done.charAt(0).toUpperCase()}${done.slice(1)}; requests of the range waited ${heldMs} ms.`,
    ...partitions.map(({ id, start, owner, engine }) => {
      const place = `on ${engine === '' ? 'no engine' : engine}, owner ${owner === '' ? '(nobody)' : owner}`
      return `  ${id} from ${positionText(plain(start))} ${place}`
    }),
  ])
}

/** `start`, or bucket and key; cut where it is long, escaped where it would not be one line of text. */
function positionText({ bucket, key }: PlainPosition): string {
  if (bucket === '' && key === '') return 'start'
  const text = JSON.stringify(`${bucket}/${key}`).slice(1, -1)
  return text.length > POSITION_CHARACTERS ? `${text.slice(0, POSITION_CHARACTERS - 1)}…` : text
}

/** Which outboxes there are besides its own, and what waits in all of them. */
function outboxText({ id, outboxes, garbageWaiting, repairsWaiting }: PartitionStatus): string {
  const adopted = outboxes.filter((outbox) => outbox !== id)
  const waiting = garbageWaiting === null ? '-' : formatCount(garbageWaiting + (repairsWaiting ?? 0))
  return adopted.length === 0 ? waiting : `${waiting}, of ${[id, ...adopted].join('+')}`
}

/** The mean of the last seconds; null: nothing is known yet. */
function lately(seconds: readonly number[] | undefined): number | null {
  const last = (seconds ?? []).slice(-RATE_SECONDS)
  return last.length === 0 ? null : last.reduce((sum, count) => sum + count, 0) / last.length
}

function rate(perSecond: number | null): string {
  if (perSecond === null) return '-'
  return perSecond >= 10 || perSecond === 0 ? formatCount(Math.round(perSecond)) : perSecond.toFixed(1)
}

function numberOf(count: bigint | undefined): number | null {
  return count === undefined ? null : Number(count)
}

function named(owner: string | undefined): string | null {
  return owner === undefined || owner === '' ? null : owner
}

function plain(position: Position | undefined): PlainPosition {
  return { bucket: position?.bucket ?? '', key: position?.key ?? '' }
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('')
}
