import type { Disagreement, Finding } from '../../workers/fsck/finding.ts'
import type { FsckProgress, FsckResult } from '../../workers/fsck/check.ts'
import { FSCK_EXAMPLES_MAX } from '../../core/limits.ts'
import { formatBytes, formatCount } from '../format.ts'
import { plural } from '../plural.ts'

/** What each kind is, for people. In the order in which they are shown: the worst first. */
const TITLES = {
  unreadable: 'blobs that cannot be read',
  manifest: 'manifests that are missing or do not add up',
  digest: 'objects whose bytes are not what was put',
  'no-pool': 'blobs of a placement group that no pool has',
  'other-group': 'blobs that lie in another placement group than their record says',
  'other-owner': 'blobs with shards that say another owner',
  'other-size': 'blobs with shards that say another size',
  'other-code': 'blobs with shards that say another code',
  degraded: 'blobs that lack shards and can be read',
  corrupt: 'blobs with shards that cannot be read where they lie',
  damaged: 'blobs with shards that are known to be damaged',
  misplaced: 'blobs with shards where nobody looks for them',
  orphan: 'blobs that no record names',
  unowned: 'blobs of which nobody can say whose they are',
  duplicate: 'blobs with shards in a second place',
  surplus: 'blobs with shards that they do not have',
  record: 'records that contradict themselves',
  annotations: 'versions with another number of annotations than they say',
  'null-version': 'keys whose null version cannot be found, or that have two',
  'owner-index': 'buckets that are not among those of their owner',
} as const satisfies Readonly<Record<Disagreement, string>>

const KINDS = Object.keys(TITLES).filter((kind): kind is Disagreement => kind in TITLES)

/** Gathers what was found, of which it keeps the first of each kind. */
export class Report {
  readonly #counts = new Map<Disagreement, number>()
  readonly #examples = new Map<Disagreement, Finding[]>()

  add(finding: Finding): void {
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
      ...KINDS.flatMap((kind) => this.#section(kind, TITLES[kind])),
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

  #section(kind: Disagreement, title: string): string[] {
    const count = this.#counts.get(kind) ?? 0
    if (count === 0) return []
    const examples = this.#examples.get(kind) ?? []
    const more = count - examples.length
    return [
      `${formatCount(count)} ${title} (${kind}):`,
      ...examples.map((finding) => `  ${lineOf(finding)}`),
      ...(more === 0 ? [] : [`  … and ${formatCount(more)} more; --json tells all`]),
      '',
    ]
  }
}

function lineOf({ detail, place, group, blob, shards = [] }: Finding): string {
  const { bucket, key, version, part = 0, annotation = '' } = place ?? {}
  const names = [
    bucket === undefined ? '' : key === undefined ? bucket : `${bucket}/${key}`,
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
  return `${names.join(' ')}: ${detail}${where}`
}

export function progressLine({ groupsDone, groups, counts }: FsckProgress): string {
  const { nodeBlobs, objects } = counts
  return `fsck: ${groupsDone} of ${groups} placement groups, ${formatCount(nodeBlobs)} blobs, ${formatCount(objects)} objects\n`
}
