import type { FsckProgress, FsckResult } from '../../workers/fsck/check.ts'
import { FSCK_EXAMPLES_MAX } from '../../core/limits.ts'
import { formatBytes, formatCount, formatSpan } from '../format.ts'
import type { ReadingProgress } from '../../workers/fsck/reading.ts'
import { plural } from '../plural.ts'
import type { RecordsProgress } from './check-all.ts'
import { type FsckFinding, type FsckKind, KIND_ROWS, KINDS } from './kinds.ts'

/** Gathers what was found, of which it keeps the first of each kind. */
export class Report {
  readonly #counts = new Map<FsckKind, number>()
  readonly #examples = new Map<FsckKind, FsckFinding[]>()

  add(finding: FsckFinding): void {
    const { kind } = finding
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    const examples = this.#examples.get(kind) ?? []
    if (examples.length < FSCK_EXAMPLES_MAX) examples.push(finding)
    this.#examples.set(kind, examples)
  }

  get clean(): boolean {
    return this.#counts.size === 0
  }

  /** How many of each kind. */
  get kinds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  render({ counts, blind }: FsckResult): string {
    const { buckets, objects, deleteMarkers, uploads, annotations, recordBlobs, recordBytes } = counts
    const { nodeBlobs, shards, shardBytes, young, garbage, unseenShards, shardsRead, objectsRead } = counts
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
    return [
      `Records: ${plural(buckets, 'bucket')}, ${formatCount(objects)} objects, ${formatCount(deleteMarkers)} delete markers, ${formatCount(uploads)} uploads, ${formatCount(annotations)} annotations; ${formatCount(recordBlobs)} blobs of ${formatBytes(recordBytes)}`,
      `Nodes:   ${formatCount(nodeBlobs)} blobs in ${formatCount(shards)} shards of ${formatBytes(shardBytes)}`,
      ...(shardsRead + objectsRead === 0
        ? []
        : [`Read:    ${formatCount(shardsRead)} shards, ${formatCount(objectsRead)} objects`]),
      ...(young + garbage === 0
        ? []
        : [
            `On their way: ${formatCount(young)} blobs that are being written or were just removed, ${formatCount(garbage)} that wait to be removed`,
          ]),
      '',
      ...KINDS.flatMap((kind) => this.#section(kind)),
      ...blind.map(({ what, why }) => `Not looked at: ${what}: ${why}`),
      ...(unseenShards === 0
        ? []
        : [`Not looked at: ${formatCount(unseenShards)} shards that may be on those nodes`]),
      this.clean
        ? `No disagreement${blind.length === 0 ? '' : ' in what could be looked at'}`
        : plural(total, 'disagreement'),
      '',
    ].join('\n')
  }

  #section(kind: FsckKind): string[] {
    const count = this.#counts.get(kind) ?? 0
    if (count === 0) return []
    const examples = this.#examples.get(kind) ?? []
    const more = count - examples.length
    const { title, advice } = KIND_ROWS[kind]
    return [
      `${formatCount(count)} ${title} (${kind}):`,
      ...examples.map((finding) => `  ${lineOf(finding)}`),
      ...(more === 0 ? [] : [`  … and ${formatCount(more)} more; --json tells all`]),
      `  What to do: ${advice}.`,
      '',
    ]
  }
}

function lineOf({ detail, place, group, blob, shards = [] }: FsckFinding): string {
  const { bucket, key, version, part = 0, annotation = '', partition } = place ?? {}
  const names = [
    bucket === undefined ? '' : key === undefined ? bucket : `${bucket}/${key}`,
    partition === undefined ? '' : `partition ${partition}`,
    version === undefined ? '' : `version ${version}`,
    part === 0 ? '' : `part ${part}`,
    annotation === '' ? '' : `annotation ${annotation}`,
    blob === undefined ? '' : `blob ${blob} of group ${group ?? '?'}`,
  ].filter((name) => name !== '')
  const [first] = shards
  const where =
    first === undefined
      ? ''
      : `; shard ${first.shard} of stripe ${first.stripe} on ${first.node === '' ? 'no node' : first.node}${shards.length > 1 ? `, and ${shards.length - 1} more` : ''}`
  return `${names.length === 0 ? 'the cluster' : names.join(' ')}: ${detail}${where}`
}

export function progressLine(progress: FsckProgress | RecordsProgress): string {
  if ('recordBytes' in progress) {
    const { recordBytes, of } = progress
    return `fsck: records, ${formatBytes(recordBytes)}${of === 0 ? '' : ` of about ${formatBytes(of)}`}\n`
  }
  const { groupsDone, groups, counts, reading } = progress
  const { nodeBlobs, objects } = counts
  const parts = [
    `${groupsDone} of ${groups} placement groups`,
    `${formatCount(nodeBlobs)} blobs`,
    `${formatCount(objects)} objects`,
    ...(reading === undefined ? [] : readingOf(reading)),
  ]
  return `fsck: ${parts.join(', ')}\n`
}

function readingOf({ bytesRead, bytesPerSecond, bytesLeft }: ReadingProgress): string[] {
  const read = `${formatBytes(bytesRead)} read`
  if (bytesPerSecond === 0) return [read]
  const rate = `${formatBytes(bytesPerSecond)}/s`
  if (bytesLeft === undefined) return [read, rate]
  return [read, rate, `about ${formatSpan(bytesLeft / bytesPerSecond)} left`]
}
