import assert from 'node:assert/strict'
import { CreateBucketCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { connectMetadata } from '../../../cli/services/metadata-client.ts'
import { systemClock } from '../../../runtime/clock/system-clock.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'
import { RecordedLoad } from '../../linearizability/load.ts'
import { Outages } from '../../linearizability/outages.ts'
import type { ChaosCase } from '../chaos-case.ts'
import type { Chance } from '../seeded.ts'
import { FailoverTimes } from './failover-times.ts'
import {
  allKilled,
  inAnyOrder,
  type Lengths,
  LONG,
  processFaults,
  SHORT,
  SHORT_OF_SEVERAL,
  type Fault,
} from './faults.ts'
import { PartitionChanges } from './partition-changes.ts'
import { startServices, type Services, type ServicesOptions } from './services.ts'

const GATEWAYS = 2
const CLIENTS = 16
const BUCKETS = [
  { name: 'histories', prefixes: 20, keysOfPrefix: 3, share: 4 },
  { name: 'histories-of-versions', prefixes: 4, keysOfPrefix: 2, share: 1 },
] as const

/** Requests that have ended before a fault, and after it. */
const STEP = 150

/** Partitions to begin with, where there are several processes. */
const PARTITIONS = 5

/** What metadata keeps its data in, and how that can be hurt. */
export interface Ground {
  /** Of several, the n-th has the id `m<n>`, from 1 on. */
  readonly metadata: ServicesOptions['metadata']
  readonly faults: readonly Fault[]
}

export interface MetadataFaultsOptions {
  readonly name: string
  readonly what: string
  unable?(): Promise<string | undefined>
  /** Starts what metadata needs, which ends with `t`. */
  ground(t: Lifetime, lengths: Lengths): Promise<Ground>
}

/**
 * A case: two gateways, clients that read and write the same keys in twenty prefixes, and a fault after the other. Where there are
 * several metadata processes, partitions are split, merged and moved all the while. Whatever happens, no request fails beyond the
 * retries of the SDK, unless it was under way while all processes were away, and what was seen of each object is what one copy of it,
 * changed by one client at a time, could have shown.
 */
export function metadataFaults({ name, what, ground, unable }: MetadataFaultsOptions): ChaosCase {
  return {
    name,
    what,
    ...(unable !== undefined && { unable }),
    async run(t, { chance, rounds, tell }) {
      const short = rounds === 1
      const { metadata, faults } = await ground(t, short ? SHORT : LONG)
      const services = await startServices(t, { gateways: GATEWAYS, metadata })
      await makeBuckets(services)
      const changes = metadata.length > 1 ? await changePartitions(t, services, chance) : undefined
      const load = new RecordedLoad({
        buckets: BUCKETS,
        gateways: services.clients,
        clients: CLIENTS,
        seed: chance.between(0, 999_999),
      })
      // Whatever else has failed: what it fails with was told already.
      atEnd(t, () => load.stop().catch(() => undefined))
      load.start()
      await load.progress(STEP)
      changes?.start()
      const lengths = short ? (changes === undefined ? SHORT : SHORT_OF_SEVERAL) : LONG
      const times = new FailoverTimes()
      const ofProcesses = services.metadata.map((service, index) =>
        processFaults(service, lengths, async () => {
          // Of a kill at a moment at which nobody says who owns what, no time is taken.
          const view = await changes?.view().catch(() => undefined)
          times.died(view?.table.partitions.filter(({ owner }) => owner === `m${index + 1}`) ?? [])
        }),
      )
      const several = short || changes === undefined ? [] : [allKilled(services.metadata, LONG)]
      /** When each fault began, for people who read the logs of a run that failed. */
      const done: string[] = []
      atEnd(t, async () => {
        if (t.passed !== true) t.diagnostic(done.join('\n'))
      })
      const outages = new Outages()
      for (let round = 0; round < rounds; round++) {
        const all = short && changes !== undefined ? oneOfEach(chance, ofProcesses) : ofProcesses.flat()
        for (const fault of inAnyOrder(chance, [...all, ...several, ...faults])) {
          done.push(`${new Date().toISOString().slice(11)} ${fault.name}`)
          if (!short) tell(`round ${round + 1} of ${rounds}: ${fault.name}`)
          if (fault.outage === true) await outages.during(() => fault.run(chance))
          else await fault.run(chance)
          await load.progress(STEP)
        }
      }
      while ((changes?.missing().length ?? 0) > 0) await load.progress(STEP)
      await changes?.stop()
      await load.stop()
      await load.readBack()
      const seen = await load.verify()
      const failures = load.failures((failure) => outages.excuses(failure))
      const excused = load.failures().length - failures.length
      assert.deepEqual(failures, [], 'no request failed beyond the retries of the SDK')
      assert.deepEqual(changes?.faults ?? [], [], 'changes are made, or refused')
      const moved = changes === undefined ? '' : `; ${changes.summary()}; ${times.summary(load.recorders)}`
      const outage = excused === 0 ? '' : `; ${excused} requests failed while all processes were away`
      return `${done.length} faults; ${seen}${outage}${moved}`
    },
  }
}

/** Cuts the buckets into partitions, at prefixes. */
async function changePartitions(
  t: Lifetime,
  { metadataAddresses, secret }: Services,
  chance: Chance,
): Promise<PartitionChanges> {
  const ports = { clock: systemClock, random: systemRandom }
  const { api, close } = connectMetadata(metadataAddresses, secret, ports)
  const positions = BUCKETS.flatMap(({ name: bucket, prefixes }) =>
    Array.from({ length: prefixes }, (_prefix, n) => ({ bucket, key: `p${String(n).padStart(2, '0')}/` })),
  )
  const changes = new PartitionChanges(api, positions, chance)
  atEnd(t, async () => {
    const stopped = changes.stop()
    await close()
    await stopped
  })
  await changes.spread(PARTITIONS)
  return changes
}

/** One fault of each kind, each of another process while there are some. */
function oneOfEach(chance: Chance, ofProcesses: readonly (readonly Fault[])[]): Fault[] {
  const processes = inAnyOrder(chance, ofProcesses)
  const kinds = processes[0]?.length ?? 0
  return Array.from({ length: kinds }, (_kind, kind) => processes[kind % processes.length]?.[kind]).filter(
    (fault) => fault !== undefined,
  )
}

async function makeBuckets({ clients }: Services): Promise<void> {
  const client = clients[0]?.()
  for (const { name: Bucket } of BUCKETS) await client?.send(new CreateBucketCommand({ Bucket }))
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await client?.send(new PutBucketVersioningCommand({ Bucket: BUCKETS[1].name, VersioningConfiguration }))
}
