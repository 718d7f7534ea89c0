import { randomBytes, randomFillSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { create } from '@bufbuild/protobuf'
import { findFreePorts } from '../../../cli/folder/ports.ts'
import { connectMetadata, type MetadataConnection } from '../../../cli/services/metadata-client.ts'
import { objectKey } from '../../../core/keyspace/keys.ts'
import { encodeRecord, objectKind } from '../../../metadata/records.ts'
import { ObjectRecordSchema } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { folderBytes } from './folder-bytes.ts'
import { temporaryFolder } from '../../cluster/harness.ts'
import { Run, type Lifetime } from '../../cluster/lifetime.ts'
import { ashlar, killNow, type Running } from '../../cluster/processes.ts'
import { anonymousBytesOf, loadAverage, residentBytesOf } from '../proc.ts'
import { markdownTable } from '../table.ts'
import { sampleObject } from './object.ts'

const BUCKET = 'bench'
/** Records that are put at once. */
const BATCH = 1000
const LOAD_BUFFER_BYTES = 64 * 1024 * 1024
const HEADS = 100_000
const HEADS_AT_ONCE = 64
/** Time after the first answer at which a process counts as at rest. */
const REST_MS = 5000
const LISTED_MAX = 500_000
const PER_FOLDER = 1000

/**
 * A metadata process with `objects` objects on `level`, beside the same process with one: time from its start to its first answer,
 * memory, and the rates of HEADs of random objects and of a listing, over gRPC. The records are put straight into the engine's folder.
 */
export async function measureSize(objects: number): Promise<void> {
  const run = new Run()
  try {
    const place = await prepare(run)
    const small = await measure(place, 1, HEADS / 10)
    const began = performance.now()
    await load(place.data, objects)
    const loadSeconds = (performance.now() - began) / 1000
    const bytes = await folderBytes(place.data)
    const large = await measure(place, objects, HEADS)
    const rows = small.map(([what, value], index) => [what, value, large[index]?.[1] ?? ''])
    console.log(
      markdownTable(['one metadata process', '1 object', `${objects.toLocaleString('en')} objects`], rows),
    )
    console.log(
      `${(bytes / 2 ** 30).toFixed(2)} GiB on disk, ${(bytes / objects).toFixed(0)} bytes an object; loaded in ${loadSeconds.toFixed(0)} s; load average at the end ${loadAverage()}\n`,
    )
  } finally {
    await run.end()
  }
}

interface Place {
  readonly data: string
  readonly port: number
  readonly secret: string
  start(): Running
}

async function prepare(run: Lifetime): Promise<Place> {
  const folder = await temporaryFolder(run)
  const secret = randomBytes(32).toString('hex')
  const secretFile = join(folder, 'secret')
  await writeFile(secretFile, secret, { mode: 0o600 })
  const [port = 0] = await findFreePorts(1, '127.0.0.1', systemRandom)
  const data = join(folder, 'metadata')
  const clusterId = randomBytes(16).toString('hex')
  const args = ['metadata', '--data', data, '--port', String(port), '--secret-file', secretFile]
  args.push('--cluster-id', clusterId, '--log-level', 'warn', '--nodes', '{"z":["n"]}')
  const start = () => ashlar(args)
  const place = { data, port, secret, start }
  const first = await started(place)
  await first.api.call('createBucket', { bucket: { name: BUCKET, owner: '123456789012' } })
  await first.api.call('commitObject', { object: sampleObject(BUCKET, keyOf(0)) })
  await first.stop()
  return place
}

interface Started extends MetadataConnection {
  readonly pid: number
  stop(): Promise<void>
}

async function started(place: Place): Promise<Started> {
  const running = place.start()
  await running.said(/ ready on /)
  const ports = { clock: systemClock, random: systemRandom }
  const connection = connectMetadata(`127.0.0.1:${place.port}`, place.secret, ports)
  return {
    ...connection,
    pid: running.pid,
    async stop() {
      await connection.close()
      process.kill(running.pid, 'SIGTERM')
      await running.ended
      killNow(running.pid)
    },
  }
}

async function measure(
  place: Place,
  objects: number,
  heads: number,
): Promise<[what: string, value: string][]> {
  const began = performance.now()
  const { api, pid, stop } = await started(place)
  const head = async (index: number) => {
    await api.call('getObject', { bucket: BUCKET, key: keyOf(index) })
  }
  await head(objects - 1)
  const firstMs = performance.now() - began
  const mib = async () => {
    const bytes = await Promise.all([residentBytesOf(pid), anonymousBytesOf(pid)])
    return bytes.map((one) => (one / 2 ** 20).toFixed(0)).join(' / ')
  }
  await systemClock.sleep(REST_MS)
  const atRest = await mib()
  const headsBegan = performance.now()
  let left = heads
  const lane = async (): Promise<void> => {
    while (left-- > 0) await head(Math.floor(Math.random() * objects))
  }
  await Promise.all(Array.from({ length: HEADS_AT_ONCE }, lane))
  const headSeconds = (performance.now() - headsBegan) / 1000
  const afterHeads = await mib()
  const listBegan = performance.now()
  let listed = 0
  let after = ''
  do {
    const page = await api.call('listObjects', { bucket: BUCKET, after, limit: 1000 })
    listed += page.objects.length
    after = page.nextAfter
  } while (after !== '' && listed < LISTED_MAX)
  const listSeconds = (performance.now() - listBegan) / 1000
  const afterList = await mib()
  await stop()
  return [
    ['start to first answer, ms', firstMs.toFixed(0)],
    ['resident / of it its own, at rest, MiB', atRest],
    [`after ${HEADS.toLocaleString('en')} random HEADs, MiB`, objects === 1 ? '' : afterHeads],
    [`random HEAD/s, ${HEADS_AT_ONCE} at once`, whole(heads / headSeconds)],
    ['list entries/s', objects === 1 ? '' : whole(listed / listSeconds)],
    [`after a listing of ${LISTED_MAX.toLocaleString('en')}, MiB`, objects === 1 ? '' : afterList],
  ]
}

function keyOf(index: number): string {
  const folder = String(Math.floor(index / PER_FOLDER)).padStart(6, '0')
  return `folder-${folder}/file-${String(index).padStart(9, '0')}.jpg`
}

/**
 * Records as commits would have left them, in order of their keys. Into the folder of the engine rather than through it: nobody
 * waits for the disk, whose fsyncs would take most of the time and are measured elsewhere.
 */
async function load(folder: string, objects: number): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(folder, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: LOAD_BUFFER_BYTES,
  })
  await level.open()
  const encode = encoder()
  const began = performance.now()
  for (let start = 0; start < objects; start += BATCH) {
    const count = Math.min(BATCH, objects - start)
    const puts = Array.from({ length: count }, (_, at) => {
      const key = keyOf(start + at)
      return { type: 'put' as const, key: objectKey(BUCKET, key), value: encode(key) }
    })
    await level.batch(puts)
    const done = start + count
    if (done % 1_000_000 === 0) {
      process.stderr.write(`${done} records, ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
    }
  }
  await level.close()
}

/** Encodes records that differ in their key, id and ETag only, each of one length: a pattern, and what differs in it. */
function encoder(): (key: string) => Uint8Array {
  const key = keyOf(0)
  const sample = sampleObject(BUCKET, key)
  const lastModifiedMs = BigInt(systemClock.nowMs())
  const record = create(ObjectRecordSchema, { ...sample, lastModifiedMs })
  const pattern = Buffer.from(encodeRecord(objectKind, record))
  const keyAt = pattern.indexOf(key)
  // Both are 32 hex digits; the id is that of the version and of the blob.
  const idsAt = [pattern.indexOf(sample.version), pattern.lastIndexOf(sample.version)]
  const etagAt = pattern.indexOf(sample.etag)
  const random = Buffer.alloc(BATCH * 32)
  let used = random.length
  return (next) => {
    if (used === random.length) {
      randomFillSync(random)
      used = 0
    }
    const digits = random.toString('hex', used, used + 32)
    used += 32
    const bytes = Buffer.from(pattern)
    bytes.write(next, keyAt, 'latin1')
    for (const at of idsAt) bytes.write(digits.slice(0, 32), at, 'latin1')
    bytes.write(digits.slice(32), etagAt, 'latin1')
    return bytes
  }
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en')
}
