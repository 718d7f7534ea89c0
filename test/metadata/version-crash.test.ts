import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { startMetadata } from '../../metadata/main.ts'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { createBucket, garbage, get, setVersioning, until } from '../contract/metadata-requests.ts'
import { metadataConfig, temporaryDirectory, world } from '../contract/metadata-service.ts'
import {
  after,
  blobsOf,
  CRASH_BUCKETS,
  type CrashLine,
  lineOf,
  linesOf,
  type ModelKey,
  type Step,
} from './crash-steps.ts'

const WRITER = fileURLToPath(new URL('./version-crash-writer.ts', import.meta.url))
const { ENABLED, SUSPENDED } = BucketVersioning
const [KEPT, SWITCHED] = CRASH_BUCKETS

/** All that the writer told until it was killed, after it had told `count` lines. */
async function writeAndKill(directory: string, run: number, count: number): Promise<CrashLine[]> {
  const child = spawn(process.execPath, [WRITER, directory, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const told: CrashLine[] = []
  for await (const line of createInterface(child.stdout)) {
    // The last line may have been cut off by the end.
    if (!line.endsWith('}}')) continue
    told.push(JSON.parse(line) as CrashLine)
    if (told.length === count) child.kill('SIGKILL')
  }
  const [code, signal] = (await exited) as [number | null, string | null]
  assert.deepEqual([code, signal], [null, 'SIGKILL'])
  return told
}

/** What is there of a key, as {@link linesOf} tells it. */
async function read(api: MetadataApi, bucket: string, key: string): Promise<string[]> {
  const lines: string[] = []
  const { versions } = await api.call('listVersions', { bucket, prefix: key, limit: 1000 })
  for (const [index, { versionId, latest, deleteMarker }] of versions.entries()) {
    assert.equal(latest, index === 0)
    const { object } = await api.call('getObject', { bucket, key, versionId })
    assert.equal(object?.deleteMarker, deleteMarker)
    const notes = new Map<string, string>()
    if (!deleteMarker) {
      const { annotations } = await api.call('listAnnotations', { bucket, key, versionId, limit: 1000 })
      for (const { name, blob } of annotations) notes.set(name, blob?.id ?? '')
    }
    assert.equal(object.annotationCount, notes.size)
    lines.push(lineOf(object.version, deleteMarker, notes))
  }
  const current = await get(api, key, bucket)
  assert.equal(current?.version, lines[0]?.includes('-') === true ? undefined : lines[0]?.split(' ')[0])
  return lines
}

/** Everything that ever took effect. */
class Model {
  readonly keys = new Map<string, ModelKey>()
  readonly #blobs = new Set<string>()

  take(step: Step, nullVersions: boolean): void {
    const at = `${step.bucket} ${step.key}`
    const versions = after(this.keys.get(at) ?? [], step, nullVersions)
    this.keys.set(at, versions)
    for (const blob of blobsOf(versions)) this.#blobs.add(blob)
  }

  /** Blobs that were and cannot be reached any more, sorted. */
  garbage(): string[] {
    const reachable = new Set([...this.keys.values()].flatMap(blobsOf))
    return [...this.#blobs].filter((blob) => !reachable.has(blob)).sort()
  }
}

test(
  'kill -9 among versions, delete markers and annotations: what was acknowledged is there, what was not is there whole or not at all',
  {
    timeout: 300_000,
  },
  async () => {
    const { path, remove } = await temporaryDirectory()
    const config = metadataConfig({ engine: 'level', dataDirectory: path })
    const first = await startMetadata(config, world)
    for (const name of CRASH_BUCKETS) await createBucket(first.api, name)
    await setVersioning(first.api, ENABLED, KEPT)
    await first.close()
    const model = new Model()
    for (let run = 0; run < 5; run++) {
      const suspended = run % 2 === 1
      const between = await startMetadata(config, world)
      await setVersioning(between.api, suspended ? SUSPENDED : ENABLED, SWITCHED)
      await between.close()
      const told = await writeAndKill(path, run, 400 + run * 271)
      const { api, close } = await startMetadata(config, world)

      const unanswered = new Map<number, Step>()
      for (const { writer, state, step } of told) {
        if (state === 'begun') unanswered.set(writer, step)
        else {
          unanswered.delete(writer)
          model.take(step, suspended && step.bucket === SWITCHED)
        }
      }
      for (const step of unanswered.values()) {
        const { bucket, key } = step
        const found = await read(api, bucket, key)
        const nullVersions = suspended && bucket === SWITCHED
        const before = model.keys.get(`${bucket} ${key}`) ?? []
        const taken = linesOf(after(before, step, nullVersions))
        if (found.join() === linesOf(before).join()) continue
        assert.deepEqual(found, taken, `${step.kind} of ${bucket}/${key} was done by half`)
        model.take(step, nullVersions)
      }
      for (const [at, versions] of model.keys) {
        const [bucket = '', key = ''] = at.split(' ')
        assert.deepEqual(await read(api, bucket, key), linesOf(versions), at)
      }
      // The last annotations of removed versions are collected in the background.
      const expected = model.garbage()
      await until(async () => (await garbage(api)).length >= expected.length)
      assert.deepEqual(await garbage(api), expected)
      await close()
    }
    await remove()
  },
)
