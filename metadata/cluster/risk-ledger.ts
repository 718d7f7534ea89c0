import { create } from '@bufbuild/protobuf'
import { type PoolRisk, poolRisks, type SpareLines } from '../../core/ledger/ledger.ts'
import type { TopologyMap } from '../../core/placement/topology/model.ts'
import { type GetRiskReply, GetRiskReplySchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { WorkReports } from '../leases/leases.ts'
import type { Cluster } from './cluster.ts'

/** Kinds of work that bring blobs back to what they can spare. */
const REPAIRING: ReadonlySet<string> = new Set(['repair', 'backfill'])

/**
 * What is at risk now. Answered from memory alone: nobody is asked, so it is answered just the same while nodes, or all of
 * them, are out of reach; what they reported last stands, and who has not reported is named.
 */
export class RiskLedger {
  readonly #cluster: Cluster
  readonly #work: WorkReports
  readonly #clock: Clock
  #last: { key: string; map: TopologyMap; pools: readonly PoolRisk[] } | undefined

  constructor(cluster: Cluster, work: WorkReports, clock: Clock) {
    this.#cluster = cluster
    this.#work = work
    this.#clock = clock
  }

  getRisk(): GetRiskReply {
    const work = this.#work.list()
    const repairing = work.filter(({ kind }) => REPAIRING.has(kind))
    const waiting = repairing.reduce((sum, { bytesWaiting }) => sum + bytesWaiting, 0n)
    const rate = repairing.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0n)
    return create(GetRiskReplySchema, {
      epoch: this.#cluster.map.epoch,
      atMs: BigInt(this.#clock.nowMs()),
      pools: this.#pools().map(({ pool, blobs, spare, zones }) => ({
        pool: pool.id,
        name: pool.name,
        code: pool.code,
        blobs: BigInt(blobs),
        spare: linesOf(spare),
        zones: zones.map(({ zone, unreadable, lost, spare: without }) => ({
          zone,
          unreadable: BigInt(unreadable),
          lost: BigInt(lost),
          spare: linesOf(without),
        })),
      })),
      silent: this.#cluster.silent(),
      work: [...work],
      repairSecondsLeft: rate === 0n ? 0n : (waiting + rate - 1n) / rate,
      repairBytesWaiting: waiting,
    })
  }

  /** Worked out again when something of it has changed. */
  #pools(): readonly PoolRisk[] {
    const { topology: map, liveness } = this.#cluster
    const up = new Set(
      map.nodes.map(({ id }) => liveness.of(id)).flatMap((n) => (n.up || n.unsure ? [n.node] : [])),
    )
    const key = `${liveness.generation} ${[...up].join(' ')}`
    if (this.#last?.map === map && this.#last.key === key) return this.#last.pools
    const inventories = new Map(map.nodes.map(({ id }) => [id, liveness.inventory(id)?.lines ?? []]))
    const pools = poolRisks({ map, up, inventories })
    this.#last = { key, map, pools }
    return pools
  }
}

function linesOf(lines: SpareLines): { spare: number; blobs: bigint }[] {
  return lines.map(([spare, blobs]) => ({ spare, blobs: BigInt(blobs) }))
}
