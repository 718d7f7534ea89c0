import { MemoryEngine } from '../../../metadata/engine/memory.ts'
import { type RunningMetadata, startOn } from '../../../metadata/main.ts'
import { OutboxKind } from '../../../proto/gen/ashlar/v1/metadata_pb.js'
import type { MetadataApi, MetadataReply, MetadataRequestInit } from '../../../proto/metadata-api.ts'
import { RoutedMetadata } from '../../../runtime/metadata-client/routed.ts'
import { silentLog } from '../../../runtime/log/pino-log.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { systemRandom } from '../../../runtime/random/system-random.ts'
import { SimulatedClock } from '../../../store/testing/simulated-clock.ts'
import { BUCKET } from '../../contract/metadata-requests.ts'
import { metadataConfig } from '../../contract/metadata-service.ts'
import { engineWith } from '../engine-with.ts'

const IDS = ['a', 'b', 'c'] as const

/** Where the contract's bucket is cut: among keys that its cases use, so that listings and groups of keys go over several. */
const CUTS = ['a/b', 'b', 'dir/', 'k', 'k1', 'photos/2', 'x'] as const

/** Longer than it takes until every process has been told the cluster map. */
const TOLD_MS = 600

/** Sequences of one outbox, of which there are as many as partitions. */
const OUTBOX_SEQUENCES = 2n ** 40n

/**
 * Three processes over one engine, among which the contract's bucket is divided, as one. Time passes only while a request waits for
 * it; what is a date is one.
 */
export async function startSplitCluster(): Promise<{ api: MetadataApi; dispose: () => Promise<void> }> {
  const simulated = new SimulatedClock()
  const clock: Clock = {
    nowMs: () => Date.now(),
    monotonicMs: () => simulated.monotonicMs(),
    sleep: (ms, signal) => simulated.sleep(ms, signal),
    after: (ms, run) => simulated.after(ms, run),
  }
  const engine = new MemoryEngine()
  const running = new Map<string, RunningMetadata>()
  const apiOf = (id: string): MetadataApi => ({
    call: async (operation, request, signal) => {
      const metadata = running.get(id)
      if (metadata === undefined) throw new Error(`${id} has not started`)
      return await metadata.api.call(operation, request, signal)
    },
  })
  for (const nodeId of IDS) {
    const own = engineWith(engine, { close: async () => undefined })
    const connectPeer = ({ id }: { id: string }) => ({ api: apiOf(id), close: async () => undefined })
    const config = metadataConfig({ shared: true, nodeId, advertise: `${nodeId}:1`, connectPeer })
    const ports = { clock, random: systemRandom, log: silentLog, nextTurn: async () => undefined }
    running.set(nodeId, await simulated.drive(startOn(own, config, ports)))
  }
  const routed = new RoutedMetadata({
    seeds: IDS.map((id) => ({ id: '', address: `${id}:1` })),
    connect: ({ address }) => apiOf(address.split(':')[0] ?? ''),
    clock,
    random: systemRandom,
  })
  await simulated.pass(TOLD_MS)
  const change = (asked: NonNullable<MetadataRequestInit<'changePartitions'>['change']>) =>
    simulated.drive(routed.call('changePartitions', { change: asked }))
  let id = 1n
  for (const [index, key] of CUTS.entries()) {
    await change({ case: 'split', value: { id, at: { bucket: BUCKET, key } } })
    await change({ case: 'move', value: { id, owner: IDS[index % IDS.length] ?? '' } })
    id = BigInt(index + 2)
  }
  const whole: MetadataApi = {
    call: (operation, request, signal) => simulated.drive(routed.call(operation, request, signal)),
  }
  return {
    api: oneOutbox(whole),
    async dispose() {
      await routed.close()
      await simulated.drive(Promise.all([...running.values()].map((one) => one.close())))
    },
  }
}

/** All outboxes, one behind the other, as one. */
function oneOutbox(api: MetadataApi): MetadataApi {
  async function outboxes(): Promise<bigint[]> {
    const { map } = await api.call('getPartitions', {})
    return (map?.partitions.flatMap(({ outboxes: each }) => each) ?? []).sort((a, b) => Number(a - b))
  }
  async function read(request: MetadataRequestInit<'readOutbox'>): Promise<MetadataReply<'readOutbox'>> {
    const { after = 0n, limit = 0, kind = OutboxKind.ANY } = request
    let reply = await api.call('readOutbox', { kind, limit: 0 })
    const records: typeof reply.records = []
    for (const outbox of await outboxes()) {
      const base = (outbox - 1n) * OUTBOX_SEQUENCES
      if (after >= base + OUTBOX_SEQUENCES || records.length >= limit) continue
      const from = after > base ? after - base : 0n
      reply = await api.call('readOutbox', { kind, outbox, after: from, limit: limit - records.length })
      records.push(...reply.records.map((record) => ({ ...record, sequence: record.sequence + base })))
    }
    return { ...reply, records }
  }
  async function acknowledge(
    request: MetadataRequestInit<'acknowledgeOutbox'>,
  ): Promise<MetadataReply<'acknowledgeOutbox'>> {
    const { sequences = [] } = request
    let reply = await api.call('acknowledgeOutbox', {
      sequences: sequences.filter((one) => one < OUTBOX_SEQUENCES),
    })
    for (const outbox of await outboxes()) {
      const base = (outbox - 1n) * OUTBOX_SEQUENCES
      const own = sequences
        .filter((one) => one > base && one < base + OUTBOX_SEQUENCES)
        .map((one) => one - base)
      if (base > 0n && own.length > 0) reply = await api.call('acknowledgeOutbox', { outbox, sequences: own })
    }
    return reply
  }
  return {
    async call(operation, request, signal) {
      if (operation === 'readOutbox')
        return (await read(request as MetadataRequestInit<'readOutbox'>)) as never
      if (operation === 'acknowledgeOutbox')
        return (await acknowledge(request as MetadataRequestInit<'acknowledgeOutbox'>)) as never
      return await api.call(operation, request, signal)
    },
  }
}
