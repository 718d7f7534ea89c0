import {
  BACKUP_REQUEST_TIMEOUT_MS,
  FSCK_BYTES_PER_SECOND_DEFAULT,
  FSCK_PROGRESS_MS,
} from '../../core/limits.ts'
import type { MetadataApi } from '../../proto/metadata-api.ts'
import { formatAddress } from '../../runtime/config/fields.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { createNetworkShardTransport } from '../../runtime/shard-transport/network.ts'
import { CommandError, explain } from '../failure.ts'
import { readSecret } from '../folder/secret.ts'
import { listenForStop } from '../processes/stop.ts'
import { overhearAddresses } from '../services/address-book.ts'
import { LOOPBACK } from '../start/plan.ts'
import { askMetadata, targetOf, type Target } from '../target.ts'
import type { World } from '../world.ts'
import type { FsckConfig } from './config.ts'
import { checkEvents, type FsckEvent } from './events.ts'
import { progressLine, Report } from './render.ts'
import { eventsFrom } from './stream.ts'

/** Everything agrees. */
const EXIT_CLEAN = 0
/** Something disagrees. */
const EXIT_DISAGREES = 1
/** Nothing disagrees in what could be looked at, but not all of it could. */
const EXIT_BLIND = 2

/** Holds metadata against shards, and prints what disagrees. Resolves to the exit code. */
export async function runFsck(config: FsckConfig, world: World): Promise<number> {
  try {
    const target = await targetOf(config)
    const asked = await askMetadata(target, world, BACKUP_REQUEST_TIMEOUT_MS)
    try {
      return await follow(eventsOf(config, target, asked.api, world), config, world)
    } finally {
      await asked.close()
    }
  } catch (error) {
    // One that could not look has found nothing, which is not the same as a disagreement.
    throw new CommandError(reasonOf(error), { exitCode: EXIT_BLIND, cause: error, hints: hintsOf(error) })
  }
}

function reasonOf(error: unknown): string {
  return (
    explain(error, false)
      .text.split('\n', 1)[0]
      ?.replace(/^ashlar: /, '') ?? ''
  )
}

function hintsOf(error: unknown): readonly string[] {
  return error instanceof CommandError ? error.hints : []
}

async function* eventsOf(
  { bucket, prefix, deep, bytesPerSecond = FSCK_BYTES_PER_SECOND_DEFAULT }: FsckConfig,
  target: Target,
  api: MetadataApi,
  { clock, random }: World,
): AsyncGenerator<FsckEvent> {
  const { signal } = listenForStop(clock)
  const options = { bucket, prefix, deep, bytesPerSecond }
  const secret = await readSecret(target.secretFile)
  const { nodes } = await api.call('getCluster', {}, signal)
  const admin = target.local?.cluster.ports.admin
  // All nodes of a cluster in one process are where no network leads.
  if (
    admin !== undefined &&
    nodes.some(({ up }) => up) &&
    nodes.every(({ up, address }) => !up || address === '')
  ) {
    yield* eventsFrom(formatAddress({ host: LOOPBACK, port: admin }), secret, options, signal)
    return
  }
  const { metadata, addressOf } = overhearAddresses(api)
  const shards = createNetworkShardTransport({ addressOf, secret, clock, random, log: silentLog })
  try {
    yield* checkEvents({ metadata, shards, clock, random, log: silentLog }, options, signal)
  } finally {
    shards.close()
  }
}

async function follow(events: AsyncIterable<FsckEvent>, { json }: FsckConfig, world: World): Promise<number> {
  const report = new Report()
  let toldMs = world.clock.monotonicMs()
  for await (const event of events) {
    if ('finding' in event) {
      report.add(event.finding)
      if (json) world.out(`${JSON.stringify(event.finding)}\n`)
    } else if ('progress' in event) {
      if (world.clock.monotonicMs() - toldMs < FSCK_PROGRESS_MS) continue
      toldMs = world.clock.monotonicMs()
      world.err(progressLine(event.progress))
    } else if ('failure' in event) {
      throw new CommandError(event.failure)
    } else {
      const { result } = event
      world.out(
        json ? `${JSON.stringify({ result: { ...result, found: report.kinds } })}\n` : report.render(result),
      )
      if (!report.clean) return EXIT_DISAGREES
      return result.blind.length > 0 ? EXIT_BLIND : EXIT_CLEAN
    }
  }
  throw new CommandError('the check broke off')
}
