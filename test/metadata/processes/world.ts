import assert from 'node:assert/strict'
import { comparePositions } from '../../../core/keyspace/partitions.ts'
import { MemoryEngine } from '../../../metadata/engine/memory.ts'
import { type MetadataConfig, type RunningMetadata, startOnAll } from '../../../metadata/main.ts'
import type { PeerConnection } from '../../../metadata/host/peers.ts'
import type { MetadataApi } from '../../../proto/metadata-api.ts'
import type { PartitionMap } from '../../../proto/gen/ashlar/v1/partitions_pb.js'
import type { Begun, MemberConnection, MemberPlace } from '../../../runtime/metadata-client/connection.ts'
import { UnreachedError } from '../../../runtime/metadata-client/failure.ts'
import { RoutedMetadata } from '../../../runtime/metadata-client/routed.ts'
import { silentLog } from '../../../runtime/log/pino-log.ts'
import type { Log } from '../../../runtime/ports/log.ts'
import { seededRandom } from '../../../store/testing/harness.ts'
import { SimulatedClock } from '../../../store/testing/simulated-clock.ts'
import { metadataConfig } from '../../contract/metadata-service.ts'
import { SimulatedProcess } from './process.ts'

/** A message on its way to another process. */
const NETWORK_MS = 0.5

/** Partitions change only when a test says so. */
const STILL = { settleMs: 1e12, restMs: 1e12, mergeColdMs: 1e12 }

interface Running {
  readonly process: SimulatedProcess
  /** Undefined until it has started. */
  metadata: RunningMetadata | undefined
}

/** Metadata processes over one engine or several, and their clients, all in this process and in simulated time. */
export class World {
  readonly clock = new SimulatedClock()
  /** The coordination engine first. Each process reaches all of them. */
  readonly engines: readonly MemoryEngine[]
  readonly #running = new Map<string, Running>()
  /** Called when a process has gone, or is back: who waits to reach one looks again. */
  readonly #waiting = new Set<() => void>()
  #seed: number
  readonly log: Log

  constructor(seed = 1, log: Log = silentLog, engines = 1) {
    this.engines = Array.from({ length: engines }, () => new MemoryEngine())
    this.#seed = seed * 1000
    this.log = log
  }

  /** Starts several, and waits until they serve everything. */
  static async of(ids: readonly string[], seed = 1, engines = 1): Promise<World> {
    const world = new World(seed, silentLog, engines)
    await world.clock.drive(Promise.all(ids.map((id) => world.start(id))))
    await world.settle()
    return world
  }

  /** The only one, or the coordination engine. */
  get engine(): MemoryEngine {
    return this.engines[0] ?? assert.fail()
  }

  process(id: string): SimulatedProcess {
    const found = this.#running.get(id)?.process
    assert.ok(found !== undefined, `no process ${id}`)
    return found
  }

  node(id: string): RunningMetadata['node'] {
    const node = this.#running.get(id)?.metadata?.node
    assert.ok(node !== undefined, `no metadata process ${id}`)
    return node
  }

  /** It has started, and runs. */
  isUp(id: string): boolean {
    const running = this.#running.get(id)
    return running?.process.state === 'up' && running.metadata !== undefined
  }

  /** Asks that very process. */
  api(id: string): MetadataApi {
    const { call } = this.#connect(id)
    return { call }
  }

  get ids(): string[] {
    return [...this.#running.keys()]
  }

  /** @param process to be prepared before it starts */
  async start(
    id: string,
    {
      process = new SimulatedProcess(this.clock),
      config = {},
    }: { process?: SimulatedProcess; config?: Partial<MetadataConfig> } = {},
  ): Promise<RunningMetadata> {
    const running: Running = { process, metadata: undefined }
    this.#running.set(id, running)
    const metadata = await startOnAll(
      this.engines.map((engine) => ({ engine: process.view(engine), disk: undefined })),
      metadataConfig({
        shared: true,
        nodeId: id,
        advertise: `${id}:1`,
        partitions: STILL,
        connectPeer: (member) => this.#connectPeer(member.id),
        ...config,
      }),
      {
        clock: process.clock,
        random: seededRandom(++this.#seed),
        log: this.log,
        nextTurn: async () => undefined,
      },
    )
    running.metadata = metadata
    this.#changed()
    return metadata
  }

  /** As SIGKILL: what it has sent goes its way. */
  kill(id: string): void {
    this.process(id).kill()
    this.#running.delete(id)
    this.#changed()
  }

  pause(id: string): void {
    this.process(id).pause()
  }

  resume(id: string): void {
    this.process(id).resume()
  }

  async close(id: string): Promise<void> {
    const running = this.#running.get(id)
    await running?.metadata?.close()
    if (this.#running.get(id) === running) this.#running.delete(id)
    this.#changed()
  }

  async closeAll(): Promise<void> {
    await this.clock.drive(Promise.all(this.ids.map((id) => this.close(id))))
  }

  /** A client over all processes there are. */
  routed(timeoutMs?: number): RoutedMetadata {
    return new RoutedMetadata({
      seeds: this.ids.map((id) => ({ id: '', address: `${id}:1` })),
      connect: ({ address }: MemberPlace) => this.#connect(address.split(':')[0] ?? ''),
      clock: this.clock,
      random: seededRandom(++this.#seed),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
  }

  /** The map, as the process has it. */
  map(id = this.ids[0] ?? ''): PartitionMap {
    return this.node(id).maps.map
  }

  /** Everything has an owner that serves it. */
  isSettled(): boolean {
    const up = [...this.#running.values()].filter(({ process }) => process.state === 'up')
    const newest = up
      .flatMap(({ metadata }) => metadata?.node.maps.map ?? [])
      .reduce<PartitionMap | undefined>(
        (best, map) => (best !== undefined && best.version >= map.version ? best : map),
        undefined,
      )
    if (newest === undefined) return false
    const serves = (owner: string, id: bigint | undefined): boolean => {
      const running = this.#running.get(owner)
      if (running?.process.state !== 'up' || running.metadata === undefined) return false
      const { node } = running.metadata
      if (node.maps.map.version !== newest.version || !node.member.held) return false
      if (id === undefined) return node.host.servedRoot?.dropped === false
      return node.host.served.some(({ range, dropped }) => range.id === Number(id) && !dropped)
    }
    return (
      serves(newest.rootOwner, undefined) &&
      newest.partitions.every(({ owner, id }) => serves(owner, id)) &&
      up.every(({ metadata }) => metadata !== undefined)
    )
  }

  /** Lets time pass until everything has an owner that serves it. @returns for how long, in milliseconds */
  async settle(limitMs = 30_000): Promise<number> {
    const since = this.clock.monotonicMs()
    while (!this.isSettled()) {
      const ms = this.clock.monotonicMs() - since
      assert.ok(ms < limitMs, `not everything is served after ${ms} ms`)
      await this.clock.pass(10)
      this.assertOneOwner()
    }
    return this.clock.monotonicMs() - since
  }

  /** No two processes would answer reads of one position, or of the root, at this moment. */
  assertOneOwner(): void {
    const serving = [...this.#running.entries()].flatMap(([id, { process, metadata }]) =>
      process.state === 'up' && metadata?.node.member.held === true ? [{ id, host: metadata.node.host }] : [],
    )
    const roots = serving.filter(
      ({ host: { servedRoot } }) => servedRoot?.dropped === false && !servedRoot.changing,
    )
    assert.ok(roots.length <= 1, `the root is served by ${roots.map(({ id }) => id).join(' and ')}`)
    const ranges = serving
      .flatMap(({ id, host }) =>
        host.served
          .filter(({ dropped, changing }) => !dropped && !changing)
          .map(({ range }) => ({ id, range })),
      )
      .sort((a, b) => comparePositions(a.range.start, b.range.start))
    for (const [index, { id, range }] of ranges.entries()) {
      const after = ranges[index + 1]
      if (after === undefined) continue
      const apart = range.end !== undefined && comparePositions(range.end, after.range.start) <= 0
      assert.ok(
        apart,
        `partition ${range.id} of ${id} and partition ${after.range.id} of ${after.id} are both served, and overlap`,
      )
    }
  }

  #changed(): void {
    for (const look of this.#waiting) look()
  }

  #connectPeer(id: string): PeerConnection {
    const { call } = this.#connect(id)
    return { api: { call }, close: async () => undefined }
  }

  #connect(id: string): MemberConnection {
    const begin: NonNullable<MemberConnection['begin']> = (operation, request, signal) =>
      this.#begin(id, operation, request, signal)
    return { begin, call: (operation, request, signal) => begin(operation, request, signal).reply }
  }

  /** Waits to be sent until the process is there. One that dies leaves what it was sent without an answer, which is noticed. */
  #begin<K extends Parameters<MetadataApi['call']>[0]>(
    id: string,
    operation: K,
    request: Parameters<MetadataApi['call']>[1],
    signal: AbortSignal | undefined,
  ): Begun<K> {
    const answered = Promise.withResolvers<never>()
    let sent = false
    let over = false
    const end = (error: Error): void => {
      over = true
      this.#waiting.delete(look)
      answered.reject(error)
    }
    const ask = async (running: Running): Promise<void> => {
      await this.clock.sleep(NETWORK_MS)
      await running.process.running()
      const [outcome] = await Promise.allSettled([running.metadata?.api.call(operation, request as never)])
      await running.process.running()
      await this.clock.sleep(NETWORK_MS)
      if (over) return
      over = true
      this.#waiting.delete(look)
      if (outcome.status === 'fulfilled') answered.resolve(outcome.value as never)
      else answered.reject(outcome.reason instanceof Error ? outcome.reason : new Error('failed'))
    }
    let target: Running | undefined
    const look = (): void => {
      const running = this.#running.get(id)
      if (target !== undefined) {
        if (running !== target) end(new UnreachedError('the process has gone', { sent: true }))
        return
      }
      if (running?.metadata === undefined) return
      target = running
      sent = true
      void ask(running)
    }
    this.#waiting.add(look)
    look()
    if (signal?.aborted === true) end(new Error('aborted'))
    signal?.addEventListener('abort', () => {
      end(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    })
    answered.promise.catch(() => undefined)
    return {
      reply: answered.promise,
      get sent() {
        return sent
      },
      takeBack: (why) => {
        end(new UnreachedError(why, { sent }))
      },
    }
  }
}
