import { FSCK_EXAMPLES_MAX } from '../../core/limits.ts'
import type { RebuildNote } from '../../metadata/rebuild/rebuild.ts'
import { formatBytes, formatCount } from '../format.ts'
import { plural } from '../plural.ts'
import type { RebuildResult } from './rebuild-cluster.ts'

const TITLES = {
  unreadable: 'too few shards were found to read them now',
  completed: 'many parts, taken for completed uploads, which shards do not say',
  'in-progress': 'parts taken for uploads in progress, which shards do not say',
  'left-out': 'older versions, left out because their buckets were said to have no versions',
  empty: 'nothing but annotations was found: taken for empty objects',
  versions: 'buckets with several versions of a key, which have versioning enabled from now on',
} as const satisfies Readonly<Record<RebuildNote['kind'], string>>

const KINDS = Object.keys(TITLES).filter((kind): kind is RebuildNote['kind'] => kind in TITLES)

/** What no shard says, whatever is found. */
const UNKNOWN = [
  'Not known from shards, and not brought back:',
  '  empty objects, empty buckets, delete markers (deleted keys of buckets with versions are back)',
  '  content types and other headers, user metadata, tags, access control lists, owners',
  '  settings of buckets, and whether versioning was enabled where no key has several versions',
  '  the order of versions but by their time, and their version ids: they have new ones',
  'Not known for certain:',
  '  whether what was written last was acknowledged: a write that failed at its end is there too',
  '  what was overwritten or deleted shortly before may be back, for its shards were still there',
] as const

/** Gathers what was inferred, of which it keeps the first of each kind. */
export class RebuildReport {
  readonly #counts = new Map<RebuildNote['kind'], number>()
  readonly #examples = new Map<RebuildNote['kind'], RebuildNote[]>()

  add(note: RebuildNote): void {
    const { kind } = note
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
    const examples = this.#examples.get(kind) ?? []
    if (examples.length < FSCK_EXAMPLES_MAX) examples.push(note)
    this.#examples.set(kind, examples)
  }

  get kinds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  render({ counts, blind, shards, unowned, map }: RebuildResult, into: string, digests: boolean): string {
    const { buckets, objects, uploads, annotations, blobs, bytes, superseded, unread } = counts
    return [
      `Rebuilt into ${into}: ${plural(buckets, 'bucket')}, ${formatCount(objects)} objects, ${formatCount(uploads)} uploads, ${formatCount(annotations)} annotations`,
      `From ${formatCount(shards)} shards: ${formatCount(blobs)} blobs of ${formatBytes(bytes)}; pools ${map.pools.map(({ name, code }) => `${name} (${code})`).join(', ')}`,
      '',
      ...KINDS.flatMap((kind) => this.#section(kind, TITLES[kind])),
      ...(superseded === 0
        ? []
        : [`${formatCount(superseded)} blobs were left out, for a newer write of the same was found`]),
      ...(unowned === 0
        ? []
        : [`${formatCount(unowned)} blobs were left out, for no shard says whose they are`]),
      ...(unread === 0
        ? []
        : [`${formatCount(unread)} blobs could not be read: their ETags are not those that were`]),
      ...(digests ? [] : ['No data was read: ETags are not those that were, and there are no checksums']),
      ...blind.map(({ what, why }) => `Not looked at: ${what}: ${why}`),
      '',
      ...UNKNOWN,
      '',
      'Start the cluster, and check it with ashlar fsck. What no record names is not removed from the nodes until you say',
      '`ashlar metadata accept-restore` to the running cluster.',
      '',
    ].join('\n')
  }

  #section(kind: RebuildNote['kind'], title: string): string[] {
    const count = this.#counts.get(kind) ?? 0
    if (count === 0) return []
    const examples = this.#examples.get(kind) ?? []
    const more = count - examples.length
    return [
      `${formatCount(count)} (${kind}): ${title}`,
      ...examples.map(
        ({ bucket, key, version }) =>
          `  ${[bucket, key].filter(Boolean).join('/')}${version === undefined ? '' : ` version ${version}`}`,
      ),
      ...(more === 0 ? [] : [`  … and ${formatCount(more)} more; --json tells all`]),
      '',
    ]
  }
}
