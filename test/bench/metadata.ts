import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { defaultPools, startMetadata } from '../../metadata/main.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { GrpcMetadata } from '../../runtime/metadata-client/grpc.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { newIdentifier } from '../../runtime/random/identifier.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

/**
 * The metadata service on the `level` engine, in this process: called directly, and over its gRPC stream on loopback
 * (client and service then share the event loop, so that column is a lower bound). Beside the commits stands what the
 * disk does alone: an append of the same size and an fdatasync, one after the other.
 *
 * Options: `--seconds` of each measurement (1), `--rounds` of which the best counts (3), the contestants in turn,
 * `--directory` to measure another disk than that of the temporary files.
 */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '3' },
      directory: { type: 'string', default: tmpdir() },
    },
  })
  const milliseconds = positiveInteger('--seconds', values.seconds) * 1000
  const rounds = positiveInteger('--rounds', values.rounds)
  const directory = await mkdtemp(join(values.directory, 'ashlar-bench-metadata-'))
  const world = { clock: systemClock, random: systemRandom, log: silentLog, nextTurn }
  const secret = 'bench'
  const service = await startMetadata(
    {
      dataDirectory: join(directory, 'metadata'),
      engine: 'level',
      listen: true,
      host: '127.0.0.1',
      port: 0,
      secret,
      clusterId: 'bench',
      bootstrap: { nodes: [{ id: 'n', zone: 'z', weight: 1 }], pools: defaultPools() },
    },
    world,
  )
  const client = new GrpcMetadata({ address: service.address ?? '', secret, ...world })
  try {
    await service.api.call('createBucket', { bucket: { name: BUCKET, owner: 'o' } })
    const disk = async () => diskSyncs(join(directory, 'disk'), milliseconds)
    const faces = [service.api, client]
    const rows: string[][] = []
    for (const inFlight of [1, 32, 128]) {
      const measures = faces.map((api) => () => commits(api, inFlight, milliseconds))
      const [direct = 0, overGrpc = 0, alone = 0] = await bestOf(rounds, [...measures, disk])
      const ratio = (direct / alone).toFixed(1)
      rows.push([`commits/s, ${inFlight} in flight`, whole(direct), whole(overGrpc), whole(alone), ratio])
    }
    for (const inFlight of [1, 32, 128]) {
      const rates = await bestOf(
        rounds,
        faces.map((api) => () => gets(api, inFlight, milliseconds)),
      )
      rows.push([`gets/s, ${inFlight} in flight`, ...rates.map(whole), '', ''])
    }
    for (const [name, delimiter] of [
      ['list entries/s, pages of 1,000', ''],
      ['list common prefixes/s', '/'],
    ] as const) {
      const rates = await bestOf(
        rounds,
        faces.map((api) => () => listed(api, delimiter, milliseconds)),
      )
      rows.push([name, ...rates.map(whole), '', ''])
    }
    console.log(
      markdownTable(['operation', 'in process', 'gRPC stream', 'disk alone', 'in process / disk'], rows),
    )
  } finally {
    await client.close()
    await service.close()
    await rm(directory, { recursive: true })
  }
}

const BUCKET = 'bench'
/** About what a commit writes to the log of the engine. */
const RECORD_BYTES = 350
/** Objects that are read again, and that are in the cache of records. */
const HOT_OBJECTS = 1000
/** Folders that the commits spread their keys over. */
const FOLDERS = 997

let written = 0

/** The best of each, in turn, so that a busy machine meets all alike. */
async function bestOf(rounds: number, measures: readonly (() => Promise<number>)[]): Promise<number[]> {
  const best = measures.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    for (const [index, measure] of measures.entries()) {
      best[index] = Math.max(best[index] ?? 0, await measure())
    }
  }
  return best
}

/** Runs `once` over and over in `lanes`, and tells how much of what it returns came together in a second. */
async function rate(lanes: number, milliseconds: number, once: () => Promise<number>): Promise<number> {
  const start = performance.now()
  let total = 0
  async function lane(): Promise<void> {
    while (performance.now() - start < milliseconds) {
      const done = await once()
      total += done
      // An answer out of the cache comes within the turn; a service has others, too.
      if (total % 64 === 0) await nextTurn()
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return (total * 1000) / (performance.now() - start)
}

function commits(api: MetadataApi, inFlight: number, milliseconds: number): Promise<number> {
  return rate(inFlight, milliseconds, async () => {
    const index = written++
    const id = newIdentifier(systemClock, systemRandom)
    const object = {
      bucket: BUCKET,
      key: `${index % FOLDERS}/file-${index}.jpg`,
      version: id,
      size: 4096n,
      etag: 'd41d8cd98f00b204e9800998ecf8427e',
      headers: { contentType: 'image/jpeg' },
      checksums: [{ algorithm: 'CRC64NVME', value: 'AAAAAAAAAAA=', type: 'FULL_OBJECT' }],
      storageClass: 'STANDARD',
      owner: '123456789012',
      blob: { id, size: 4096n, code: 'replica-3', group: 131_072 },
    }
    await api.call('commitObject', { object })
    return 1
  })
}

function gets(api: MetadataApi, inFlight: number, milliseconds: number): Promise<number> {
  let next = 0
  return rate(inFlight, milliseconds, async () => {
    const index = next++ % HOT_OBJECTS
    await api.call('getObject', { bucket: BUCKET, key: `${index % FOLDERS}/file-${index}.jpg` })
    return 1
  })
}

function listed(api: MetadataApi, delimiter: string, milliseconds: number): Promise<number> {
  let after = ''
  return rate(1, milliseconds, async () => {
    const page = await api.call('listObjects', { bucket: BUCKET, delimiter, after, limit: 1000 })
    after = page.nextAfter
    return page.objects.length + page.commonPrefixes.length
  })
}

function diskSyncs(path: string, milliseconds: number): number {
  const file = openSync(path, 'a')
  const record = Buffer.alloc(RECORD_BYTES, 1)
  const start = performance.now()
  let count = 0
  while (performance.now() - start < milliseconds) {
    writeSync(file, record)
    fdatasyncSync(file)
    count++
  }
  const elapsed = performance.now() - start
  closeSync(file)
  return (count * 1000) / elapsed
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en')
}
