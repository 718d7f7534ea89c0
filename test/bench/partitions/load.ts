import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { sampleObject } from '../metadata/object.ts'
import { isRefusal, patiently, REST_MS } from '../metadata/patiently.ts'
import type { Counter, Kind } from './counter.ts'

const BUCKET = 'bench'
/** Keys that are read of each prefix; they are written first. */
const READ_KEYS = 500
const FILL_AT_ONCE = 64
/** Of requests that are offered at a rate, so many may be unanswered; beyond it the machine cannot do what is offered. */
const OPEN_MAX = 4000
const TICK_MS = 5
const LOOK_MS = 500
/** How a process refuses that has too much to do, and not a partition that is held to the figures of S3. */
const OVERLOAD = 'more to do than it can'

/** Spread evenly over a prefix, so that each range of it can be cut. */
function keyOf(prefix: number, name: string): string {
  return `prefix-${prefix}/${name}`
}

function nameOf(index: number): string {
  return `${((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0')}.jpg`
}

async function write(api: MetadataApi, key: string): Promise<void> {
  await api.call('commitObject', { object: sampleObject(BUCKET, key) })
}

/** The bucket, and the keys of each prefix that are read. */
export async function fill(api: MetadataApi, prefixes: number): Promise<void> {
  const bucket = { name: BUCKET, owner: '123456789012' }
  // Processes that have just started still share out what there is, and a bucket is made only where all can be asked.
  await patiently(() => api.call('createBucket', { bucket }))
  let next = 0
  const lane = async (): Promise<void> => {
    for (let at = next++; at < prefixes * READ_KEYS; at = next++) {
      const key = keyOf(at % prefixes, nameOf(Math.floor(at / prefixes)))
      await patiently(() => write(api, key))
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
    if (!isRefusal(error)) counter.count('failed')
    else counter.count(error.message.includes(OVERLOAD) ? 'overload' : 'refused')
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
