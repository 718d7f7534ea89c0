import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ChangeClusterReply, ChangeClusterRequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import { CommandError } from '../failure.ts'
import { formatBytes, table } from '../format.ts'
import { plural } from '../plural.ts'
import type { NodeStatus } from '../status/nodes.ts'
import { estimateMoves, type Arrival } from './estimate.ts'

export type ClusterChange = NonNullable<MessageInitShape<typeof ChangeClusterRequestSchema>['change']>

export interface ChangeOptions {
  readonly dryRun: boolean
  readonly force: boolean
}

/** What a change did, or would do. */
export interface ChangeResult {
  readonly dryRun: boolean
  /** Of the map after it. */
  readonly epoch: number
  readonly slots: number
  /** Estimated. */
  readonly bytes: number
  readonly arrivals: readonly Arrival[]
  readonly warnings: readonly string[]
}

/**
 * Has metadata change the cluster.
 * @param nodes as they are now, for the estimate
 * @param hints what to do if it is refused
 * @throws {CommandError} refused
 */
export async function changeCluster(
  api: MetadataApi,
  change: ClusterChange,
  { dryRun, force }: ChangeOptions,
  nodes: readonly NodeStatus[],
  hints: readonly string[] = [],
): Promise<ChangeResult> {
  let reply: ChangeClusterReply
  try {
    reply = await api.call('changeCluster', { change, dryRun, force })
  } catch (error) {
    throw refusal(error, hints)
  }
  const arrivals = estimateMoves(reply.moves, nodes)
  return {
    dryRun,
    epoch: Number(reply.map?.epoch ?? 0n),
    slots: reply.moves.length,
    bytes: arrivals.reduce((sum, { bytes }) => sum + bytes, 0),
    arrivals,
    warnings: reply.warnings,
  }
}

/** A refusal as a sentence for the person who asked; other errors as they are. */
function refusal(error: unknown, hints: readonly string[]): unknown {
  if (!(error instanceof MetadataError)) return error
  switch (error.code) {
    case FailureCode.TOPOLOGY_REFUSED:
      return new CommandError(`refused: ${error.message}`, { hints, cause: error })
    case FailureCode.STALE_EPOCH:
      return new CommandError('the cluster has changed meanwhile', { hints: ['Look again, and try again.'] })
    case FailureCode.INVALID_REQUEST:
      return new CommandError(`refused: ${error.message}`, { cause: error })
    default:
      return error
  }
}

/**
 * The result as text.
 * @param done a sentence: `zone-b-3 is in the cluster`
 * @param movable the change is of the kind that moves slots, so that it is worth saying when none does
 */
export function renderChange(done: string, result: ChangeResult, movable: boolean): string {
  const { dryRun, slots, bytes, arrivals, warnings } = result
  const lines = [dryRun ? `Nothing was changed. Without --dry-run: ${done}.` : `${capital(done)}.`]
  if (slots > 0) {
    const verb = dryRun ? 'would move' : slots === 1 ? 'moves' : 'move'
    lines.push(`${plural(slots, 'slot')} ${verb}, about ${formatBytes(bytes)}:`, ...moveTable(arrivals))
  } else if (movable) {
    lines.push(dryRun ? 'No slot would move.' : 'No slot moves.')
  }
  lines.push(...warnings.map((warning) => `Warning: ${warning}`))
  return lines.map((line) => `${line}\n`).join('')
}

function moveTable(arrivals: readonly Arrival[]): string[] {
  const rows = arrivals.map(({ to, slots, bytes, from }) => [
    to,
    String(slots),
    formatBytes(bytes),
    from.map((one) => `${one.node === '' ? '(rebuilt)' : one.node} ${one.slots}`).join(', '),
  ])
  return table([['TO', 'SLOTS', 'BYTES', 'FROM'], ...rows]).map((line) => `  ${line}`)
}

function capital(text: string): string {
  // Names of nodes and zones stay as they are.
  return /^(?:the|what|slots|nothing)\b/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text
}
