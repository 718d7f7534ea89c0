/** A cluster that costs as little as can be, so that what is measured over it is the store alone. */

import {
  ShardError,
  type PutShard,
  type ShardService,
  type ShardTransport,
} from '../../proto/shard-transport.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { clusterMap, type MapShape } from '../../store/testing/cluster-map.ts'
import { FakeMetadata } from '../../store/testing/fake-metadata.ts'
import type { RealCluster } from '../store/cluster.ts'

export type BenchCluster = Pick<RealCluster, 'metadata' | 'shards' | 'setDown' | 'close'> & {
  /** Between two rounds of writes. */
  clear?(): void
}

/** The cheapest nodes there can be: a map of copies. */
export function memoryCluster(shape: MapShape = {}): BenchCluster {
  const metadata = new FakeMetadata(clusterMap(shape), systemClock)
  const shards = new MemoryTransport()
  return {
    metadata,
    shards,
    async setDown(nodes) {
      shards.down = new Set(nodes)
    },
    clear: () => {
      shards.clear()
    },
    async close() {
      shards.clear()
    },
  }
}

class MemoryTransport implements ShardTransport {
  down: ReadonlySet<string> = new Set()
  readonly #spare = new Map<number, Uint8Array[]>()
  readonly kept = new Map<string, { readonly data: Uint8Array; readonly checksums: Uint32Array }>()

  /** Forgets everything but the memory it lay in: fresh pages would cost more than the store. */
  clear(): void {
    for (const { data } of this.kept.values()) {
      const same = this.#spare.get(data.length) ?? []
      this.#spare.set(data.length, same)
      same.push(data)
    }
    this.kept.clear()
  }

  node(id: string): ShardService {
    const refuse = (): Promise<never> => Promise.reject(new ShardError('unavailable', `${id} is down`))
    const nothing = {
      put: refuse,
      get: refuse,
      deleteBlob: refuse,
      deleteShards: refuse,
      list: refuse,
      describe: refuse,
      damaged: refuse,
      status: refuse,
    }
    if (this.down.has(id)) return nothing
    const keyOf = ({ blob, stripe, shard }: PutShard['address']): string => `${id}/${blob}/${stripe}/${shard}`
    return {
      ...nothing,
      put: async ({ address, data, checksums }) => {
        const copy = this.#spare.get(data.length)?.pop() ?? new Uint8Array(data.length)
        copy.set(data)
        this.kept.set(keyOf(address), { data: copy, checksums: checksums.slice() })
      },
      get: async ({ address }) => {
        const found = this.kept.get(keyOf(address))
        if (found === undefined) throw new ShardError('not-found', 'no such shard')
        return { offset: 0, ...found, shardBytes: found.data.length }
      },
      deleteBlob: async () => 0,
    }
  }
}
