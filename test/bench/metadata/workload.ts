import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { nextTurn } from '../../../runtime/clock/next-turn.ts'
import { sampleObject } from './object.ts'

export const BUCKET = 'bench'
/** Objects that are read again, and that are in the cache of records. */
const HOT_OBJECTS = 1000
/** Folders that the commits spread their keys over. */
const FOLDERS = 997

export interface Rate {
  readonly perSecond: number
  /** Of this process, all its threads. */
  readonly cpuMicros: number
}

export type Workload = (clients: number, milliseconds: number) => Promise<Rate>

/** What is asked of one metadata service, whose bucket is there. Commits first: the others read what they wrote. */
export class Workloads {
  readonly #api: MetadataApi
  readonly #written: { count: number }

  constructor(api: MetadataApi, written = { count: 0 }) {
    this.#api = api
    this.#written = written
  }

  /** The same bucket, by another way to the service. */
  by(api: MetadataApi): Workloads {
    return new Workloads(api, this.#written)
  }

  /** What the other two need. */
  async prepare(): Promise<void> {
    await Promise.all(Array.from({ length: HOT_OBJECTS }, () => this.#commit()))
  }

  readonly commits: Workload = (clients, milliseconds) =>
    rate(clients, milliseconds, async () => {
      await this.#commit()
      return 1
    })

  readonly gets: Workload = (clients, milliseconds) => {
    let next = 0
    return rate(clients, milliseconds, async () => {
      await this.#api.call('getObject', { bucket: BUCKET, key: keyOf(next++ % HOT_OBJECTS) })
      return 1
    })
  }

  /** Entries, by whole listings; with a delimiter common prefixes. */
  lists(delimiter = ''): Workload {
    return (clients, milliseconds) => {
      const after = Array.from({ length: clients }, () => '')
      return rate(clients, milliseconds, async (lane) => {
        const from = after[lane] ?? ''
        const request = { bucket: BUCKET, delimiter, after: from, limit: 1000 }
        const page = await this.#api.call('listObjects', request)
        after[lane] = page.nextAfter
        return page.objects.length + page.commonPrefixes.length
      })
    }
  }

  async #commit(): Promise<void> {
    await this.#api.call('commitObject', { object: sampleObject(BUCKET, keyOf(this.#written.count++)) })
  }
}

function keyOf(index: number): string {
  return `${index % FOLDERS}/file-${index}.jpg`
}

/** Runs `once` over and over in lanes, and tells how much of what it returns came together in a second. */
async function rate(
  lanes: number,
  milliseconds: number,
  once: (lane: number) => Promise<number>,
): Promise<Rate> {
  const start = performance.now()
  const cpu = process.cpuUsage()
  let total = 0
  let asked = 0
  async function lane(_: unknown, index: number): Promise<void> {
    while (performance.now() - start < milliseconds) {
      const done = await once(index)
      total += done
      // An answer out of the cache comes within the turn; a service has others, too.
      if (++asked % 64 === 0) await nextTurn()
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const { user, system } = process.cpuUsage(cpu)
  return {
    perSecond: (total * 1000) / (performance.now() - start),
    cpuMicros: (user + system) / Math.max(1, total),
  }
}
