import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import { type MetadataApi, MetadataError } from '../../../proto/metadata-api.ts'
import { newIdentifier } from '../../../runtime/random/identifier.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import type { Counter, Kind } from './counter.ts'

export const BUCKET = 'bench'
/** Keys that are read of each prefix; they are written first. */
const READ_KEYS = 500
const FILL_AT_ONCE = 64
/** Of requests that are offered at a rate, so many may be unanswered; beyond it the machine cannot do what is offered. */
const OPEN_MAX = 4000
const TICK_MS = 5
/** A client that was refused rests for so long. */
const REST_MS = 50
const LOOK_MS = 500

/** Spread evenly over a prefix, so that each range of it can be cut. */
export function keyOf(prefix: number, name: string): string {
  return `prefix-${prefix}/${name}`
}

function nameOf(index: number): string {
  return `${((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')}.jpg`
}

export async function write(api: MetadataApi, key: string): Promise<void> {
  const id = newIdentifier(systemClock, systemRandom)
  const object = {
    bucket: BUCKET,
    key,
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
}

/** The bucket, and the keys of each prefix that are read. */
export async function fill(api: MetadataApi, prefixes: number): Promise<void> {
  await api.call('createBucket', { bucket: { name: BUCKET, owner: '123456789012' } })
  let next = 0
  const lane = async (): Promise<void> => {
    for (let at = next++; at < prefixes * READ_KEYS; at = next++) {
      const key = keyOf(at % prefixes, nameOf(Math.floor(at / prefixes)))
      for (;;) {
        try {
          await write(api, key)
          break
        } catch (error) {
          if (!isRefusal(error)) throw error
          await delay(REST_MS)
        }
      }
    }
  }
  await Promise.all(Array.from({ length: FILL_AT_ONCE }, lane))
}

/** Makes one request of a kind, on a random key of the prefixes. */
function once(api: MetadataApi, kind: Kind, prefixes: number): Promise<unknown> {
  const prefix = Math.floor(Math.random() * prefixes)
  if (kind === 'writes') return write(api, keyOf(prefix, `${randomBytes(6).toString('hex')}.jpg`))
  const key = keyOf(prefix, nameOf(Math.floor(Math.random() * READ_KEYS)))
  return api.call('getObject', { bucket: BUCKET, key })
}

/** @returns whether it was done */
async function counted(request: Promise<unknown>, kind: Kind, counter: Counter): Promise<boolean> {
  try {
    await request
    counter.count(kind)
    return true
  } catch (error) {
    counter.count(isRefusal(error) ? 'refused' : 'failed')
    return false
  }
}

/** Clients that each wait for their answer before they ask again. */
export async function closedLoop(
  api: MetadataApi,
  lanes: Readonly<Record<Kind, number>>,
  prefixes: number,
  seconds: number,
  counter: Counter,
): Promise<void> {
  const lane = async (kind: Kind): Promise<void> => {
    while (counter.elapsedMs < seconds * 1000) {
      if (!(await counted(once(api, kind, prefixes), kind, counter))) await delay(REST_MS)
    }
  }
  const kinds: readonly Kind[] = ['writes', 'reads']
  const all = kinds.flatMap((kind) => Array.from({ length: lanes[kind] }, () => lane(kind)))
  await Promise.all([...all, look(api, seconds, counter)])
}

/** Requests at a rate, whatever is answered. @returns how many could not be offered, since too many were unanswered */
export async function openLoop(
  api: MetadataApi,
  kind: Kind,
  perSecond: number,
  seconds: number,
  counter: Counter,
): Promise<number> {
  let sent = 0
  let skipped = 0
  const open = new Set<Promise<unknown>>()
  const looking = look(api, seconds, counter)
  while (counter.elapsedMs < seconds * 1000) {
    const due = Math.floor((counter.elapsedMs / 1000) * perSecond)
    for (; sent < due; sent++) {
      if (open.size >= OPEN_MAX) {
        skipped++
        continue
      }
      const request = counted(once(api, kind, 1), kind, counter)
      open.add(request)
      void request.then(() => open.delete(request))
    }
    await delay(TICK_MS)
  }
  await Promise.all([...open, looking])
  return skipped
}

/** Looks at the partition map now and then. */
async function look(api: MetadataApi, seconds: number, counter: Counter): Promise<void> {
  while (counter.elapsedMs < seconds * 1000) {
    const { map } = await api.call('getPartitions', { knownVersion: 0n })
    counter.partitions(map?.partitions.length ?? 1)
    await delay(LOOK_MS)
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof MetadataError && error.code === FailureCode.SLOW_DOWN
}
