import { setTimeout as delay } from 'node:timers/promises'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'
import { EtcdServers } from '../../servers/etcd.ts'
import {
  type PostgresServer,
  type PostgresStandby,
  startPostgres,
  startStandby,
  urlOf,
} from '../../servers/postgres.ts'
import type { Ground } from './case.ts'
import { type Fault, type Lengths, LONG, stopping } from './faults.ts'

const PROCESSES = 3

/** How each of several metadata processes is told where its data lies. */
function processesOn(url: string): Ground['metadata'] {
  return Array.from({ length: PROCESSES }, (_process, index) => () => [
    '--engine',
    url,
    '--node-id',
    `m${index + 1}`,
  ])
}

/** Three processes on PostgreSQL with a synchronous standby, which takes over again and again. */
export async function postgresGround(t: Lifetime, lengths: Lengths): Promise<Ground> {
  let primary = await startPostgres()
  atEnd(t, () => primary.dispose())
  let standby: PostgresStandby = await startStandby(primary)
  atEnd(t, () => standby.dispose())
  let old: PostgresServer = primary
  atEnd(t, () => old.dispose())
  /** Makes the standby the primary, and the one that was it the old one. */
  const promote = async (): Promise<void> => {
    await standby.promote()
    old = primary
    primary = standby
    // Nobody waits for a standby that is not there yet; whoever was acknowledged is on both disks.
    await primary.query('alter system reset synchronous_standby_names')
    await primary.query('select pg_reload_conf()')
  }
  /** A new standby in the place of the old primary, which is never seen again. */
  const replace = async (): Promise<void> => {
    await old.dispose()
    standby = await startStandby(primary, { port: old.port })
  }
  const killed: Fault = {
    name: 'kill -9 of the PostgreSQL primary, its standby promoted',
    async run(chance) {
      await primary.kill()
      await delay(chance.between(0, lengths.away))
      await promote()
      await replace()
    },
  }
  const awakened: Fault = {
    name: 'SIGSTOP of the PostgreSQL primary, its standby promoted, and the old one awake beside it',
    async run(chance) {
      await primary.pause()
      await delay(chance.between(0, lengths.away))
      await promote()
      // It wakes before anybody has noticed, or when all have.
      await delay(chance.between(0, lengths.away))
      await old.resume()
      // It takes itself for the primary, and is there to be asked.
      await delay(chance.between(0, lengths.away))
      await replace()
    },
  }
  const still = (what: string, one: () => PostgresServer): Fault =>
    stopping(`SIGSTOP of the PostgreSQL ${what}`, lengths, async () => {
      const server = one()
      await server.pause()
      return () => server.resume()
    })
  const stopped = [still('primary', () => primary)]
  if (lengths === LONG) stopped.push(still('standby', () => standby))
  return { metadata: processesOn(urlOf([primary, standby])), faults: [killed, awakened, ...stopped] }
}

/** Three processes on three members of etcd. */
export async function etcdGround(t: Lifetime, lengths: Lengths): Promise<Ground> {
  const servers = await EtcdServers.start()
  atEnd(t, () => servers.stop())
  const killed: Fault = {
    name: "kill -9 of etcd's leader",
    async run(chance) {
      const leader = await servers.leader()
      await servers.kill(leader)
      await delay(chance.between(0, lengths.away))
      await servers.restart(leader)
    },
  }
  const still = (what: string, one: (leader: number) => number): Fault =>
    stopping(`SIGSTOP of ${what}`, lengths, async () => {
      const index = one(await servers.leader())
      servers.pause(index)
      return async () => {
        servers.resume(index)
      }
    })
  const stopped = [still("etcd's leader", (leader) => leader)]
  if (lengths === LONG) {
    stopped.push(still('a member of etcd that follows', (leader) => (leader + 1) % servers.size))
  }
  return { metadata: processesOn(servers.url()), faults: [killed, ...stopped] }
}
