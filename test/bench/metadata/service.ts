import { defaultPools, type MetadataConfig, startMetadata } from '../../../metadata/main.ts'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { silentLog } from '../../../runtime/log/pino-log.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'

/** Metadata in this process, not listening, of a cluster of one node. */
export async function startBenchMetadata(
  run: Lifetime,
  config: Partial<MetadataConfig>,
): Promise<MetadataApi> {
  const { api, close } = await startMetadata(
    {
      dataDirectory: '',
      engine: 'level',
      listen: false,
      host: '',
      port: 0,
      secret: '',
      clusterId: 'bench',
      bootstrap: { nodes: [{ id: 'n', zone: 'z', weight: 1 }], pools: defaultPools() },
      ...config,
    },
    { clock: systemClock, random: systemRandom, log: silentLog },
  )
  atEnd(run, close)
  return api
}
