import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { Engine } from '../../metadata/engine/engine.ts'
import { openEtcdEngine } from '../../metadata/engine/etcd/open.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { etcdMissing, EtcdServers } from '../servers/etcd.ts'
import { engineContract } from './engine.ts'

const skip = await etcdMissing()

function openAt(url: string): Promise<Engine> {
  return openEtcdEngine(url, { clock: systemClock, random: systemRandom, log: silentLog, readFile })
}

describe('etcd, three members', { skip }, () => {
  let servers: EtcdServers
  let prefixes = 0

  before(async () => {
    servers = await EtcdServers.start()
  })
  after(() => servers.stop())

  if (skip === false) {
    engineContract('etcd', async () => {
      // Each with keys of its own, beside those of all before.
      const engine = await openAt(servers.url(`/p${prefixes++}`))
      return { engine, dispose: () => engine.close() }
    })
  }

  it('is there', () => undefined)
})
