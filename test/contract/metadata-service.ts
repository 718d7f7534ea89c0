import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultPools, type MetadataConfig } from '../../metadata/main.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { nextTurn } from '../../runtime/clock/next-turn.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'

/** Real ports, without a log. */
export const world = { clock: systemClock, random: systemRandom, log: silentLog, nextTurn }

/** Three zones of two nodes, in memory and not listening. */
export function metadataConfig(more: Partial<MetadataConfig> = {}): MetadataConfig {
  const nodes = ['a', 'b', 'c'].flatMap((zone) => [1, 2].map((n) => ({ id: `${zone}${n}`, zone, weight: 1 })))
  return {
    dataDirectory: '',
    engine: 'memory',
    listen: false,
    host: '127.0.0.1',
    port: 0,
    secret: 'a secret of the cluster',
    clusterId: 'test-cluster',
    bootstrap: { nodes, pools: defaultPools().map((pool) => ({ ...pool, groups: 8 })) },
    ...more,
  }
}

/** A folder for one test, and its removal. */
export async function temporaryDirectory(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'ashlar-metadata-'))
  return { path, remove: () => rm(path, { recursive: true }) }
}
