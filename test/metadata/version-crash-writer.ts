import { parseVersionId } from '../../core/records/version-id.ts'
import { startMetadata } from '../../metadata/main.ts'
import type { VersionSummary } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { objectInit, OWNER } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { CRASH_BUCKETS, type CrashLine, type Step } from './crash-steps.ts'

/**
 * Writes, deletes and annotates versions without end, and tells each step before and after; version-crash.test.ts kills
 * it. Arguments: the data folder, the number of the run. Each writer has keys of its own.
 */
const [dataDirectory = '', run = ''] = process.argv.slice(2)
const { api } = await startMetadata(metadataConfig({ engine: 'level', dataDirectory }), world)

const SIZE = 5n
const KINDS = [
  'put',
  'annotate',
  'annotate',
  'put',
  'annotate',
  'mark',
  'remove newest',
  'unannotate',
  'put',
  'annotate',
  'remove second',
  'mark',
  'put',
  'remove newest',
  'annotate',
] as const

function blobOf(id: string) {
  return { id, size: SIZE, code: 'rs-4-2', group: 65_536 }
}

async function versionNamed(
  bucket: string,
  key: string,
  summary: VersionSummary | undefined,
): Promise<{ version: string; versionId: string } | undefined> {
  if (summary === undefined) return undefined
  const { versionId } = summary
  const place = parseVersionId(versionId)
  if (place !== undefined) return { version: place.version, versionId }
  const { object } = await api.call('getObject', { bucket, key, versionId })
  return { version: object?.version ?? '', versionId }
}

/** The step of this number, unless there is nothing to do it to. */
async function stepOf(writer: number, index: number): Promise<Step | undefined> {
  const bucket = CRASH_BUCKETS[writer % CRASH_BUCKETS.length] ?? ''
  const key = `${writer}/${Math.floor(index / KINDS.length) % 2}`
  const id = (mark: string) => {
    const time = Date.now().toString(16).padStart(12, '0')
    return time + `${mark}${run}${writer}${index}`.padStart(20, '0')
  }
  const kind = KINDS[index % KINDS.length] ?? 'put'
  const made = { bucket, key, version: id('a'), versionId: '', name: '' }
  if (kind === 'put') return { ...made, kind, blob: id('b') }
  if (kind === 'mark') return { ...made, kind, blob: '' }
  const { versions } = await api.call('listVersions', { bucket, prefix: key, limit: 1000 })
  const which = kind === 'remove second' ? versions[1] : versions[0]
  const found = await versionNamed(bucket, key, which)
  if (found === undefined) return undefined
  if (kind === 'remove newest' || kind === 'remove second') {
    return { ...made, ...found, kind: 'remove', blob: '' }
  }
  if (which?.deleteMarker === true) return undefined
  const name = `n${index % 3}`
  return kind === 'annotate'
    ? { ...made, ...found, kind, name, blob: id('c') }
    : { ...made, ...found, kind, name, blob: '' }
}

async function take({ kind, bucket, key, version, versionId, blob, name }: Step): Promise<void> {
  switch (kind) {
    case 'put':
      await api.call('commitObject', { object: objectInit(key, { bucket, version, blob: blobOf(blob) }) })
      return
    case 'mark':
      await api.call('deleteObject', { bucket, key, markerVersion: version, owner: OWNER })
      return
    case 'remove':
      await api.call('deleteObject', { bucket, key, versionId })
      return
    case 'annotate': {
      const annotation = { name, size: SIZE, etag: blob, blob: blobOf(blob) }
      await api.call('putAnnotation', { bucket, key, version, versionId, annotation, limitPerObject: 2 })
      return
    }
    case 'unannotate':
      await api.call('deleteAnnotation', { bucket, key, versionId, name })
  }
}

function tell(line: CrashLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function write(writer: number): Promise<never> {
  for (let index = 0; ; index++) {
    const step = await stepOf(writer, index)
    if (step === undefined) continue
    tell({ writer, state: 'begun', step })
    await take(step)
    tell({ writer, state: 'acknowledged', step })
  }
}

await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(write))
