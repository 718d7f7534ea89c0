import assert from 'node:assert/strict'
import { CreateBucketCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import type { Lifetime } from '../../cluster/harness.ts'
import { RecordedLoad } from '../../linearizability/load.ts'
import type { ChaosCase } from '../chaos-case.ts'
import { inAnyOrder, LONG, processFaults, SHORT, type Fault } from './faults.ts'
import { startServices, type Services, type ServicesOptions } from './services.ts'

const GATEWAYS = 2
const CLIENTS = 16
const BUCKETS = [
  { name: 'histories', prefixes: 20, keysOfPrefix: 3, share: 4 },
  { name: 'histories-of-versions', prefixes: 4, keysOfPrefix: 2, share: 1 },
] as const

/** Requests that have ended before a fault, and after it. */
const STEP = 150

/** What metadata keeps its data in, and how that can be hurt. */
export interface Ground {
  readonly metadata: ServicesOptions['metadata']
  readonly faults: readonly Fault[]
}

export interface MetadataFaultsOptions {
  readonly name: string
  readonly what: string
  unable?(): Promise<string | undefined>
  /** Starts what metadata needs, which ends with `t`. */
  ground(t: Lifetime): Promise<Ground>
}

/**
 * A case: two gateways, clients that read and write the same keys in twenty prefixes, and a fault after the other. Whatever
 * happens, no request fails beyond the retries of the SDK, and what was seen of each object is what one copy of it, changed by
 * one client at a time, could have shown.
 */
export function metadataFaults({ name, what, ground, unable }: MetadataFaultsOptions): ChaosCase {
  return {
    name,
    what,
    ...(unable !== undefined && { unable }),
    async run(t, { chance, rounds }) {
      const { metadata, faults } = await ground(t)
      const services = await startServices(t, { gateways: GATEWAYS, metadata })
      await makeBuckets(services)
      const load = new RecordedLoad({
        buckets: BUCKETS,
        gateways: services.clients,
        clients: CLIENTS,
        seed: chance.between(0, 999_999),
      })
      load.start()
      await load.progress(STEP)
      const lengths = rounds === 1 ? SHORT : LONG
      const all = [...services.metadata.flatMap((one) => processFaults(one, lengths)), ...faults]
      const done: string[] = []
      for (let round = 0; round < rounds; round++) {
        for (const fault of inAnyOrder(chance, all)) {
          await fault.run(chance)
          await load.progress(STEP)
          done.push(fault.name)
        }
      }
      await load.stop()
      await load.readBack()
      const seen = await load.verify()
      assert.deepEqual(load.failures(), [], 'no request failed beyond the retries of the SDK')
      return `${done.length} faults; ${seen}`
    },
  }
}

async function makeBuckets({ clients }: Services): Promise<void> {
  const client = clients[0]?.()
  for (const { name: Bucket } of BUCKETS) await client?.send(new CreateBucketCommand({ Bucket }))
  const VersioningConfiguration = { Status: 'Enabled' } as const
  await client?.send(new PutBucketVersioningCommand({ Bucket: BUCKETS[1].name, VersioningConfiguration }))
}
