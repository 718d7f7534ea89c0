/** The cluster's client, assembled. */

import {
  HEDGE_TOKENS_MAX,
  READ_BUFFER_BYTES,
  READ_MEMORY_BYTES,
  REPAIR_MEMORY_BYTES,
  WRITE_MEMORY_BYTES,
} from '../core/limits.ts'
import type { ClusterMap } from '../proto/gen/ashlar/v1/cluster_pb.js'
import type { MetadataApi } from '../proto/metadata-api.ts'
import type { ShardTransport } from '../proto/shard-transport.ts'
import { Compute } from '../runtime/compute/compute.ts'
import type { Clock } from '../runtime/ports/clock.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import type { ByteRange, Store } from './api.ts'
import { ClusterView } from './cluster/cluster-view.ts'
import type { NodeView } from './cluster/snapshot.ts'
import { Suspicion } from './cluster/suspicion.ts'
import { Background, type Environment } from './environment.ts'
import { StripeMemory } from './memory/stripe-memory.ts'
import { HedgePolicy } from './read/hedge-policy.ts'
import type { StoredContent } from './read/blob-ranges.ts'
import { readAnnotation, readObject } from './read/read-object.ts'
import type { RepairStore } from './repair/api.ts'
import { createRepairStore } from './repair/repair-store.ts'
import { RepairReports } from './repair/reports.ts'
import { WriteAdmission } from './write/admission.ts'
import { putAnnotation, putObject, putPart } from './write/put.ts'

export interface StoreOptions {
  readonly metadata: MetadataApi
  readonly shards: ShardTransport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly settings: StoreSettings
}

export interface StoreSettings {
  /** Threads that encode and hash; 0 does it on the event loop. See {@link defaultComputeWorkers}. */
  readonly computeWorkers: number
  /** Bytes for the stripes of all writes; WRITE_MEMORY_BYTES by default. At least one stripe of the widest code. */
  readonly writeMemoryBytes?: number
  /** Bytes for reconstruction by all reads; READ_MEMORY_BYTES by default. */
  readonly readMemoryBytes?: number
  /** Bytes for the stripes of all repairs; REPAIR_MEMORY_BYTES by default. At least one stripe of the widest code. */
  readonly repairMemoryBytes?: number
  /** Bytes that all reads together hold for their consumers; READ_BUFFER_BYTES by default. */
  readonly readBufferBytes?: number
  /** No client waits for its reads: nodes put them behind their other requests, and what is late is waited for. */
  readonly backgroundReads?: boolean
}

/** The cluster as this store sees it, for `status` and for tests. */
export interface StoreView {
  /** `undefined` until metadata first answered. */
  readonly map: ClusterMap | undefined
  readonly nodes: readonly (NodeView & {
    /** Left alone for the moment, because it failed this process. */
    readonly suspectedForReads: boolean
    readonly suspectedForWrites: boolean
  })[]
  readonly memory: {
    readonly writeBytes: number
    readonly writeBytesUsed: number
    readonly writesWaiting: number
    readonly readBytes: number
    readonly readBytesUsed: number
    readonly readsWaiting: number
    readonly repairBytes: number
    readonly repairBytesUsed: number
    readonly repairsWaiting: number
    readonly readBufferBytes: number
    readonly readBufferBytesUsed: number
  }
}

export interface ClosableStore extends Store {
  /** For the workers. */
  readonly repair: RepairStore
  /** As `readObject`, of whatever is stored: an object, a part of one, an annotation. */
  readContent(content: StoredContent, range: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>
  cluster(): StoreView
  /**
   * Waits for what outlives requests (removals after failed writes) and ends the threads. Requests still running fail;
   * end them first.
   */
  close(): Promise<void>
}

/**
 * Threads for a machine of `parallelism` processors: one leaves the event loop free, and a second follows every four
 * processors, for one thread hashes (MD5: 0.7 GB/s) what half a dozen fast clients send.
 */
export function defaultComputeWorkers(parallelism: number): number {
  return parallelism < 2 ? 0 : 1 + Math.floor(parallelism / 4)
}

/** A store over that metadata and those nodes. It looks at the cluster every second from now on. */
export function createStore(options: StoreOptions): ClosableStore {
  const { metadata, shards, clock, random, log, settings } = options
  const writeBytes = settings.writeMemoryBytes ?? WRITE_MEMORY_BYTES
  const readBytes = settings.readMemoryBytes ?? READ_MEMORY_BYTES
  const repairBytes = settings.repairMemoryBytes ?? REPAIR_MEMORY_BYTES
  const compute = new Compute({
    workers: settings.computeWorkers,
    memoryBytes: writeBytes + readBytes + repairBytes,
  })
  const cluster = new ClusterView({ metadata, clock, log })
  const suspicion = new Suspicion(clock)
  const environment: Environment = {
    metadata,
    shards,
    clock,
    random,
    log,
    compute,
    cluster,
    suspicion,
    writeMemory: new StripeMemory(clock, 0, writeBytes),
    readMemory: new StripeMemory(clock, writeBytes, readBytes),
    repairMemory: new StripeMemory(clock, writeBytes + readBytes, repairBytes),
    readBuffers: new StripeMemory(clock, 0, settings.readBufferBytes ?? READ_BUFFER_BYTES),
    backgroundReads: settings.backgroundReads === true,
    hedging: new HedgePolicy(settings.backgroundReads === true ? 0 : HEDGE_TOKENS_MAX),
    reports: new RepairReports({ metadata, clock, log }),
    admission: new WriteAdmission(metadata, clock),
    background: new Background(),
  }
  return {
    metadata,
    putObject: (request, signal) => putObject(environment, request, signal),
    putPart: (request, signal) => putPart(environment, request, signal),
    putAnnotation: (request, signal) => putAnnotation(environment, request, signal),
    readObject: (record, range, signal) => readObject(environment, record, range, signal),
    readAnnotation: (object, annotation, signal) => readAnnotation(environment, object, annotation, signal),
    repair: createRepairStore(environment),
    readContent: (content, range, signal) => readObject(environment, content, range, signal),
    cluster: () => viewOf(environment),
    async close() {
      await environment.reports.close()
      await environment.background.idle()
      await cluster.close()
      await compute.close()
    },
  }
}

function viewOf({
  cluster,
  suspicion,
  writeMemory,
  readMemory,
  repairMemory,
  readBuffers,
}: Environment): StoreView {
  const snapshot = cluster.current
  const nodes = [...(snapshot?.nodes.values() ?? [])]
  return {
    map: snapshot?.map,
    nodes: nodes.map((node) => ({
      ...node,
      suspectedForReads: suspicion.suspects(node.id, 'read'),
      suspectedForWrites: suspicion.suspects(node.id, 'write'),
    })),
    memory: {
      writeBytes: writeMemory.bytes,
      writeBytesUsed: writeMemory.usedBytes,
      writesWaiting: writeMemory.waiting,
      readBytes: readMemory.bytes,
      readBytesUsed: readMemory.usedBytes,
      readsWaiting: readMemory.waiting,
      repairBytes: repairMemory.bytes,
      repairBytesUsed: repairMemory.usedBytes,
      repairsWaiting: repairMemory.waiting,
      readBufferBytes: readBuffers.bytes,
      readBufferBytesUsed: readBuffers.usedBytes,
    },
  }
}
