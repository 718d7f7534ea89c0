import { setTimeout as delay } from 'node:timers/promises'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { sampleObject } from '../metadata/object.ts'
import { isRefusal, patiently } from '../metadata/patiently.ts'
import type { Counter, Kind } from './counter.ts'
import type { Target } from './target.ts'

export const BUCKET = 'bench'
/** Beyond so many unanswered requests the machine cannot do what is offered. */
const OPEN_MAX = 4000
/** How a process refuses that has too much to do, and not a partition that is held to a rate. */
const OVERLOAD = 'more to do than it can'

interface MetadataTargetOptions {
  readonly cpuSeconds?: () => Promise<number>
  /** Rest after a refusal, of clients that would ask again at once. */
  readonly restMs?: number
}

/** Straight into metadata, as a gateway would: the commit of an object, and the look at one. */
export class MetadataTarget implements Target {
  readonly atOnce = OPEN_MAX
  readonly #api: MetadataApi
  readonly #options: MetadataTargetOptions

  constructor(api: MetadataApi, options: MetadataTargetOptions = {}) {
    this.#api = api
    this.#options = options
  }

  async prepare(): Promise<void> {
    const bucket = { name: BUCKET, owner: '123456789012' }
    // Processes that have just started still share out what there is, and a bucket is made only where all can be asked.
    await patiently(() => this.#api.call('createBucket', { bucket }))
  }

  async fill(key: string): Promise<void> {
    await patiently(() => this.#once('writes', key))
  }

  async ask(kind: Kind, key: string, counter: Counter): Promise<void> {
    try {
      await this.#once(kind, key)
      counter.count(kind, 'done')
    } catch (error) {
      if (!isRefusal(error)) counter.count(kind, 'failed')
      else counter.count(kind, error.message.includes(OVERLOAD) ? 'overload' : 'refused')
      const { restMs } = this.#options
      if (restMs !== undefined) await delay(restMs)
    }
  }

  async partitions(): Promise<number> {
    return await countPartitions(this.#api)
  }

  async overloaded(): Promise<number> {
    return await countOverloaded(this.#api)
  }

  async cpuSeconds(): Promise<number | undefined> {
    return await this.#options.cpuSeconds?.()
  }

  #once(kind: Kind, key: string): Promise<unknown> {
    return kind === 'writes'
      ? this.#api.call('commitObject', { object: sampleObject(BUCKET, key) })
      : this.#api.call('getObject', { bucket: BUCKET, key })
  }
}

export async function countPartitions(api: MetadataApi): Promise<number> {
  const { map } = await patiently(() => api.call('getPartitions', { knownVersion: 0n }))
  return map?.partitions.length ?? 1
}

/** As the coordinator has been told. */
export async function countOverloaded(api: MetadataApi): Promise<number> {
  const { processes } = await patiently(() => api.call('getPartitions', { knownVersion: 0n }))
  return processes.reduce(
    (sum, { writes, reads }) => sum + Number(writes?.refused ?? 0n) + Number(reads?.refused ?? 0n),
    0,
  )
}
