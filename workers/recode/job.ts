/** Empties pools that retire, and takes them out of the map. */

import {
  RECODE_BLOBS_IN_FLIGHT_MAX,
  RECODE_POLL_MS,
  RECODE_WINDOW_BLOBS,
  WORK_BLOBS_IN_FLIGHT_MAX,
} from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { askMetadata, eachOf, type WorkContext } from '../blob/context.ts'
import type { ListedBlob } from '../blob/identify.ts'
import { judgeBlobs, removeOrphan } from '../blob/judge.ts'
import type { WorkGroup, WorkPool, WorkView } from '../cluster/view.ts'
import { mergeLists } from '../groups/merge.ts'
import type { Job, Rounds, Session } from '../runner/job.ts'
import { recodeBlob, type RecodeSource } from './recode-blob.ts'

export function recodeJob(context: WorkContext): Job {
  return { lease: 'recode', kind: 'recode', open: (session) => new RecodeRounds(context, session) }
}

/** One sweep over a pool: groups in order, one a round. Where it is cut short, the next one finds what is left. */
interface Sweep {
  readonly pool: number
  next: number
  /** No node listed anything in any group so far, and none was away that might. */
  empty: boolean
}

class RecodeRounds implements Rounds {
  readonly #context: WorkContext
  readonly #session: Session
  #sweep: Sweep | undefined

  constructor(context: WorkContext, session: Session) {
    this.#context = context
    this.#session = session
  }

  async round(): Promise<number> {
    const view = await this.#context.watch.view(this.#session.signal)
    const pool = this.#poolToSweep(view)
    if (pool === undefined) {
      this.#session.progress.idle()
      return RECODE_POLL_MS
    }
    const sweep = (this.#sweep ??= { pool: pool.id, next: 0, empty: true })
    const group = pool.groups[sweep.next]
    if (group !== undefined) {
      this.#session.progress.now = `pool ${pool.name} (${pool.code.name}): group ${sweep.next + 1} of ${pool.groups.length}`
      await this.#sweepGroup(view, group, sweep)
      sweep.next++
      return 0
    }
    this.#sweep = undefined
    if (sweep.empty && (await this.#remove(pool))) return 0
    return RECODE_POLL_MS
  }

  #poolToSweep(view: WorkView): WorkPool | undefined {
    const retiring = view.pools.filter((pool) => pool.retiring)
    const current = retiring.find(({ id }) => id === this.#sweep?.pool)
    if (current === undefined) this.#sweep = undefined
    return current ?? retiring[0]
  }

  async #sweepGroup(view: WorkView, group: WorkGroup, sweep: Sweep): Promise<void> {
    const { signal } = this.#session
    const nodes = [...view.nodes.values()]
    const up = nodes.filter((node) => node.up).map(({ id }) => id)
    if (nodes.some((node) => !node.up && !node.lost)) sweep.empty = false
    let window: ListedBlob[] = []
    const lists = { nodes: up, group: group.id, epoch: view.epoch, signal }
    for await (const blob of mergeLists(this.#context, lists)) {
      sweep.empty = false
      window.push(blob)
      if (window.length < RECODE_WINDOW_BLOBS) continue
      await this.#treat(group, window)
      window = []
    }
    await this.#treat(group, window)
  }

  async #treat(group: WorkGroup, window: readonly ListedBlob[]): Promise<void> {
    if (window.length === 0) return
    const { signal, progress } = this.#session
    const judged = await judgeBlobs(this.#context, group, window, signal)
    await eachOf(judged, WORK_BLOBS_IN_FLIGHT_MAX, async (blob) => {
      if (blob.verdict.kind === 'orphan') await removeOrphan(this.#context, group.id, blob, signal)
    })
    const live = judged.flatMap(({ verdict }) => (verdict.kind === 'live' ? [verdict] : []))
    progress.itemsWaiting = live.length
    await eachOf(live, RECODE_BLOBS_IN_FLIGHT_MAX, async (source) => {
      await this.#recode(source)
      progress.itemsWaiting--
    })
  }

  async #recode(source: RecodeSource): Promise<void> {
    const { signal, progress } = this.#session
    try {
      const replaced = await recodeBlob(this.#context, source, signal)
      if (replaced) progress.add(1, Number(source.record.size))
    } catch (error) {
      signal.throwIfAborted()
      // The next sweep comes by here again.
      this.#context.log.warn('a blob could not be re-encoded', { blob: source.record.id, error })
    }
  }

  /** False: metadata still sees something in it, or another was faster. */
  async #remove({ id, name, code }: WorkPool): Promise<boolean> {
    const change = { case: 'removePool' as const, value: { pool: id } }
    try {
      await askMetadata(this.#context, this.#session.signal, 'changeCluster', { change })
    } catch (error) {
      if (!(error instanceof MetadataError) || error.code !== FailureCode.TOPOLOGY_REFUSED) throw error
      this.#context.log.debug('a retiring pool stays', { pool: id, error })
      return false
    }
    this.#context.log.info('a pool is gone, after all of it was re-encoded', {
      pool: id,
      name,
      code: code.name,
    })
    await this.#context.watch.refresh()
    return true
  }
}
