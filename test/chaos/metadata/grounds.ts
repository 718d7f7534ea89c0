import { setTimeout as delay } from 'node:timers/promises'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'
import { EtcdServers } from '../../servers/etcd.ts'
import { type PostgresStandby, startPostgres, startStandby, urlOf } from '../../servers/postgres.ts'
import type { Ground } from './case.ts'
import type { Fault, Lengths } from './faults.ts'

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
  const promotion: Fault = {
    name: 'kill -9 of the PostgreSQL primary, its standby promoted',
    async run(chance) {
      const dead = primary
      await dead.kill()
      await delay(chance.between(0, lengths.away))
      await standby.promote()
      primary = standby
      // Nobody waits for a standby that is not there yet; whoever was acknowledged is on both disks.
      await primary.query('alter system reset synchronous_standby_names')
      await primary.query('select pg_reload_conf()')
      await dead.dispose()
      // In the place of the one that died, which is never seen again.
      standby = await startStandby(primary, { port: dead.port })
    },
  }
  return { metadata: processesOn(urlOf([primary, standby])), faults: [promotion] }
}

/** Three processes on three members of etcd. */
export async function etcdGround(t: Lifetime, lengths: Lengths): Promise<Ground> {
  const servers = await EtcdServers.start()
  atEnd(t, () => servers.stop())
  const leaderKilled: Fault = {
    name: "kill -9 of etcd's leader",
    async run(chance) {
      const leader = await servers.leader()
      await servers.kill(leader)
      await delay(chance.between(0, lengths.away))
      await servers.restart(leader)
    },
  }
  return { metadata: processesOn(servers.url()), faults: [leaderKilled] }
}
