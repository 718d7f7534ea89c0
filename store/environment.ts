/** What every part of the store works with. */

import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import type { Compute } from '../runtime/compute/compute.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import type { ClusterView } from './cluster/cluster-view.ts'
import type { Suspicion } from './cluster/suspicion.ts'
import type { StripeMemory } from './memory/stripe-memory.ts'
import type { HedgePolicy } from './read/hedge-policy.ts'
import type { RepairReports } from './repair/reports.ts'
import type { WriteAdmission } from './write/admission.ts'

export interface Environment {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly compute: Compute
  readonly cluster: ClusterView
  readonly suspicion: Suspicion
  readonly writeMemory: StripeMemory
  readonly readMemory: StripeMemory
  /** For repair and re-encoding, apart from what clients use. */
  readonly repairMemory: StripeMemory
  /** Counts the data that all reads hold for their consumers; the bytes themselves lie wherever they were received. */
  readonly readBuffers: StripeMemory
  /** No client waits for the reads. */
  readonly backgroundReads: boolean
  readonly hedging: HedgePolicy
  readonly reports: RepairReports
  readonly admission: WriteAdmission
  readonly background: Background
}

/** Work that outlives its request: letting go of memory, removing shards of failed writes. */
export class Background {
  readonly #running = new Set<Promise<void>>()

  /** @param work never rejects */
  run(work: Promise<void>): void {
    this.#running.add(work)
    void work.finally(() => this.#running.delete(work))
  }

  /** Resolves when all of it is done. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
