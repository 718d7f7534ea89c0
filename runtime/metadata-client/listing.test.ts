import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { commonPrefixOf } from '../../core/keyspace/listing.ts'
import type { Position } from '../../core/keyspace/partitions.ts'
import { compareUtf8 } from '../../core/keyspace/utf8.ts'
import { LIST_PARTITIONS_AT_ONCE } from '../../core/limits.ts'
import { ObjectSummarySchema, VersionSummarySchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { UploadRecordSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataReply } from '../../proto/metadata-api.ts'
import { listAcross } from './listing.ts'
import {
  type ListingKind,
  type ListingOperation,
  type ListingQuery,
  type Marker,
  objectListing,
  uploadListing,
  versionListing,
} from './listing-kinds.ts'

const BUCKET = 'bucket'

/** Entries in order, as a whole or cut at keys. */
interface Model<Entry> {
  readonly entries: readonly Entry[]
  /** Where partitions begin, besides the first; in order. */
  readonly cuts: readonly string[]
}

/** One page as a partition gives it that holds the keys from `start` to `end`: S3's rules, the slow and plain way. */
function pageOf<K extends ListingOperation, Entry>(
  kind: ListingKind<K, Entry>,
  { entries }: Model<Entry>,
  { prefix, delimiter, marker, from, limit }: ListingQuery,
  start = '',
  end?: string,
): MetadataReply<K> {
  const rolledUp = (key: string) =>
    key.startsWith(prefix) ? commonPrefixOf(key, prefix, delimiter) : undefined
  const past = marker.key !== '' && rolledUp(marker.key) === marker.key
  const items: { marker: Marker; entry: Entry | undefined }[] = []
  for (const entry of entries) {
    const at = kind.markerOf(entry)
    const order = compareUtf8(at.key, marker.key)
    if (!at.key.startsWith(prefix) || compareUtf8(at.key, from) < 0) continue
    if (compareUtf8(at.key, start) < 0 || (end !== undefined && compareUtf8(at.key, end) >= 0)) continue
    if (past && at.key.startsWith(marker.key)) continue
    if (order < 0 || (order === 0 && (marker.id === '' || at.id <= marker.id))) continue
    const group = rolledUp(at.key)
    if (group === undefined) items.push({ marker: at, entry })
    else if (items.at(-1)?.marker.key !== group || items.at(-1)?.entry !== undefined) {
      items.push({ marker: { key: group, id: '' }, entry: undefined })
    }
  }
  const shown = items.slice(0, limit)
  const truncated = limit > 0 && items.length > limit
  const reply = kind.reply(
    shown.map(({ entry }) => entry).filter((entry) => entry !== undefined),
    shown.filter(({ entry }) => entry === undefined).map((item) => item.marker.key),
    truncated ? shown.at(-1)?.marker : undefined,
  )
  const endsEarly = end !== undefined && (compareUtf8(end, prefix) <= 0 || end.startsWith(prefix))
  if (!truncated && endsEarly) reply.coveredTo = end
  return reply
}

/** Answers as partitions would, each for what it holds. Counts how many are asked at once. */
function partitioned<K extends ListingOperation, Entry>(
  kind: ListingKind<K, Entry>,
  model: Model<Entry>,
  believed: readonly string[],
) {
  let inFlight = 0
  const seen = { most: 0, asked: [] as string[] }
  return {
    seen,
    world: {
      async ask(request: Parameters<(typeof kind)['query']>[0]) {
        seen.most = Math.max(seen.most, ++inFlight)
        const query = kind.query(request)
        const at = [query.prefix, query.from, query.marker.key].sort(compareUtf8).at(-1) ?? ''
        const start = model.cuts.findLast((cut) => compareUtf8(cut, at) <= 0) ?? ''
        seen.asked.push(start)
        await Promise.resolve()
        inFlight--
        return pageOf(
          kind,
          model,
          query,
          start,
          model.cuts.find((cut) => compareUtf8(cut, at) > 0),
        )
      },
      after({ key }: Position) {
        const next = believed.find((cut) => compareUtf8(cut, key) > 0)
        return next === undefined ? undefined : { bucket: BUCKET, key: next }
      },
      signal: undefined,
    },
  }
}

function objects(keys: readonly string[]) {
  return keys.map((key) => create(ObjectSummarySchema, { key }))
}

const unit = fc.constantFrom('/', '/', 'a', 'b', '\uffff', '\u{1F600}')
const key = fc.string({ unit, minLength: 1, maxLength: 5 })
const cuts = fc.uniqueArray(key, { maxLength: 9 }).map((some) => some.toSorted(compareUtf8))
const asked = fc.record({
  prefix: fc.string({ unit, maxLength: 2 }),
  delimiter: fc.constantFrom('', '/', '/', 'a/'),
  from: fc.constantFrom('', '', 'a', 'b/'),
  limit: fc.constantFrom(0, 1, 1, 2, 3, 5, 1000),
  after: fc.oneof(fc.constant(''), key),
  id: fc.constantFrom('', '2'),
})

/** Any keys, any cuts, any belief in cuts, any request: page by page what one partition would list. */
async function sameAsWhole<K extends ListingOperation, Entry>(
  kind: ListingKind<K, Entry>,
  entryOf: (key: string, id: string) => Entry,
  ids: readonly string[],
  numRuns: number,
): Promise<void> {
  const keys = fc.uniqueArray(fc.record({ key, id: fc.constantFrom(...ids) }), {
    maxLength: 24,
    selector: (one) => `${one.key} ${one.id}`,
  })
  await fc.assert(
    fc.asyncProperty(
      keys,
      cuts,
      fc.option(cuts),
      asked,
      async (some, cutAt, wrong, { after, id, ...request }) => {
        const sorted = some.toSorted((a, b) => compareUtf8(a.key, b.key) || compareUtf8(a.id, b.id))
        const model = { entries: sorted.map((one) => entryOf(one.key, one.id)), cuts: cutAt }
        const { world, seen } = partitioned(kind, model, wrong ?? cutAt)
        let marker: Marker = { key: after, id: after === '' || ids.length === 1 ? '' : id }
        for (let page = 0; page < 40; page++) {
          const query = { bucket: BUCKET, ...request, marker }
          const reply = await listAcross(kind, kind.request(query), world)
          assert.deepEqual(reply, pageOf(kind, model, query))
          assert.ok(seen.most <= LIST_PARTITIONS_AT_ONCE)
          if (!reply.truncated) return
          marker = kind.next(reply)
        }
        assert.fail('the listing does not end')
      },
    ),
    { numRuns },
  )
}

test('objects over any partitions are listed as over one', () =>
  sameAsWhole(objectListing, (name) => create(ObjectSummarySchema, { key: name }), [''], 600))

test('versions over any partitions are listed as over one', () =>
  sameAsWhole(
    versionListing,
    (name, versionId) => create(VersionSummarySchema, { object: { key: name }, versionId }),
    ['1', '2', '3'],
    300,
  ))

test('uploads over any partitions are listed as over one', () =>
  sameAsWhole(
    uploadListing,
    (name, uploadId) => create(UploadRecordSchema, { key: name, uploadId }),
    ['1', '2', '3'],
    300,
  ))

test('what lies in one partition is one request, and its answer is passed on as it is', async () => {
  const model = { entries: objects(['a', 'b', 'c']), cuts: ['m'] }
  const { world, seen } = partitioned(objectListing, model, model.cuts)
  const reply = await listAcross(objectListing, { bucket: BUCKET, limit: 2 }, world)
  assert.deepEqual([reply.objects.length, reply.truncated, seen.asked], [2, true, ['']])
})

test('partitions that lie wholly under a common prefix are not asked, however many', async () => {
  const under = Array.from({ length: 50 }, (_, index) => `a/${String(index).padStart(2, '0')}`)
  const model = { entries: objects([...under, 'b']), cuts: under.slice(1) }
  const { world, seen } = partitioned(objectListing, model, model.cuts)
  const reply = await listAcross(objectListing, { bucket: BUCKET, delimiter: '/', limit: 10 }, world)
  assert.deepEqual([reply.commonPrefixes, reply.objects.map((one) => one.key)], [['a/'], ['b']])
  assert.deepEqual(seen.asked, ['', 'a/49'])
})

test('many empty partitions are asked several at once', async () => {
  const starts = Array.from({ length: 40 }, (_, index) => `k${String(index).padStart(2, '0')}`)
  const model = { entries: objects(['a', 'z']), cuts: starts }
  const { world, seen } = partitioned(objectListing, model, model.cuts)
  const reply = await listAcross(objectListing, { bucket: BUCKET, limit: 1000 }, world)
  assert.deepEqual([reply.objects.length, seen.most, seen.asked.length], [2, LIST_PARTITIONS_AT_ONCE, 41])
})

test('the neighbour of a full partition is asked alone', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `k${String(index).padStart(2, '0')}`)
  const model = { entries: objects(names), cuts: names.filter((_, index) => index % 8 === 0) }
  const { world, seen } = partitioned(objectListing, model, model.cuts)
  const reply = await listAcross(objectListing, { bucket: BUCKET, from: 'k04', limit: 10 }, world)
  assert.deepEqual([reply.objects.length, reply.truncated, seen.asked], [10, true, ['k00', 'k08']])
})

test('a partition that ends where it does not is a fault, not a loop', async () => {
  const ask = async () => objectListing.reply([], [], undefined)
  const ends = async () => ({ ...(await ask()), coveredTo: 'b' })
  const world = { ask: ends, after: () => undefined, signal: undefined }
  await assert.rejects(listAcross(objectListing, { bucket: BUCKET, limit: 3 }, world), /ends before/)
  const more = { ...world, ask: async () => ({ ...(await ends()), truncated: true }) }
  await assert.rejects(
    listAcross(objectListing, { bucket: BUCKET, limit: 3 }, more),
    /says that there is more/,
  )
})
