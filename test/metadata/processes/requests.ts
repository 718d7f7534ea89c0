import { FailureCode } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord } from '../../../proto/gen/ashlar/v1/records_pb.js'
import { type MetadataApi, MetadataError, type MetadataRequestInit } from '../../../proto/metadata-api.ts'
import { BUCKET, identifierOf, OWNER } from '../../contract/metadata-requests.ts'
import type { SimulatedClock } from '../../../store/testing/simulated-clock.ts'

type ObjectInit = NonNullable<MetadataRequestInit<'commitObject'>['object']>

/** Requests by the time of a world, whose blobs would be too new, or too old, by any other. */
export class Requests {
  readonly #clock: SimulatedClock
  #count = 0

  constructor(clock: SimulatedClock) {
    this.#clock = clock
  }

  newId(): string {
    return identifierOf(this.#clock.nowMs(), ++this.#count)
  }

  async put(
    api: MetadataApi,
    key: string,
    etag = `etag-${++this.#count}`,
    more: Partial<ObjectInit> = {},
    conditions: MetadataRequestInit<'commitObject'>['conditions'] = {},
  ): Promise<ObjectRecord | undefined> {
    const object = {
      bucket: BUCKET,
      key,
      version: this.newId(),
      size: 5n,
      etag,
      storageClass: 'STANDARD',
      owner: OWNER,
      blob: { id: this.newId(), size: 5n, code: 'rs-4-2', group: 65_536 },
      ...more,
    } as ObjectInit
    return (await api.call('commitObject', { object, conditions })).object
  }

  /** The ETag; undefined: there is no object. */
  async get(api: MetadataApi, key: string, bucket = BUCKET): Promise<string | undefined> {
    try {
      return (await api.call('getObject', { bucket, key })).object?.etag
    } catch (error) {
      if (error instanceof MetadataError && error.code === FailureCode.NO_SUCH_KEY) return undefined
      throw error
    }
  }

  async split(api: MetadataApi, id: number, key: string, bucket = BUCKET): Promise<number> {
    const { map, heldMs } = await api.call('changePartitions', {
      change: { case: 'split', value: { id: BigInt(id), at: { bucket, key } } },
    })
    void heldMs
    return Number(map?.partitions.find(({ start }) => start?.key === key)?.id)
  }

  async move(api: MetadataApi, id: number, owner: string): Promise<bigint> {
    const { heldMs } = await api.call('changePartitions', {
      change: { case: 'move', value: { id: BigInt(id), owner } },
    })
    return heldMs
  }

  /** @param engine the id that it keeps */
  async moveEngine(api: MetadataApi, id: number, engine: string): Promise<void> {
    await api.call('changePartitions', { change: { case: 'move', value: { id: BigInt(id), engine } } })
  }

  async merge(api: MetadataApi, left: number): Promise<bigint> {
    const { heldMs } = await api.call('changePartitions', {
      change: { case: 'merge', value: { left: BigInt(left) } },
    })
    return heldMs
  }
}
