import type { PartitionMap } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { formatBytes, formatCount, formatSpan, table } from '../format.ts'
import {
  plain,
  type EngineStatus,
  type PartitionObstacle,
  type PartitionsStatus,
  type PartitionStatus,
  type PlainPosition,
} from './assess.ts'

/** Characters of a position that a table shows. */
const POSITION_CHARACTERS = 40

/** `ashlar partition list`. */
export function renderPartitions(status: PartitionsStatus): string {
  const { version, partitions, members, rootOwner, engines, obstacles } = status
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
    '',
    'Engines',
    ...table([['ENGINE', 'KIND', 'PARTITIONS', 'SPACE'], ...engines.map(engineRow)]).map(
      (line) => `  ${line}`,
    ),
    ...obstacles.map((obstacle) => `Note: ${obstacleText(obstacle)}`),
    ...(rootOwner === null ? ['Warning: nobody owns the root: the cluster cannot be changed now'] : []),
    ...away.map((owner) => `Warning: ${owner} owns part of metadata, and is not heard of`),
  ])
}

function engineRow({ id, kind, partitions, usedBytes, quotaBytes }: EngineStatus): string[] {
  const space = quotaBytes === null ? '-' : `${formatBytes(usedBytes ?? 0)} of ${formatBytes(quotaBytes)}`
  return [id, kind === '' ? '-' : kind, String(partitions), space]
}

/** What should be done about a partition and cannot be, as a sentence without its full stop. */
export function obstacleText({ partition, reason }: PartitionObstacle): string {
  return `partition ${partition} ${OBSTACLES[reason] ?? reason}`
}

/** In words, by the reason. */
const OBSTACLES: Readonly<Record<string, string>> = {
  'single-key': 'is hot by a single key, which no split shares out',
  'too-few-samples': 'is hot, and where it could be cut is not known yet',
  'no-node': 'has nobody to serve it: no metadata process that is up reaches its engine',
  indivisible: 'is large, and there is no key between its records at which it could be cut',
  'too-many-partitions': 'is not split: there are as many partitions as there may be',
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

function rate(perSecond: number | null): string {
  if (perSecond === null) return '-'
  return perSecond >= 10 || perSecond === 0 ? formatCount(Math.round(perSecond)) : perSecond.toFixed(1)
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('')
}
