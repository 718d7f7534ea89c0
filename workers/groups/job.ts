/** Goes over placement groups: backfill of slots that move, nodes that came back, and everything once in a while. */

import { GROUP_POLL_MS, GROUP_SHARES, GROUP_SURVEYS_PER_ROUND } from '../../core/limits.ts'
import type { WorkContext } from '../blob/context.ts'
import { sameSlots, type WorkGroup } from '../cluster/view.ts'
import type { Job, Rounds, Session } from '../runner/job.ts'
import { SlotFinisher } from './finish.ts'
import { passGroup } from './pass.ts'
import { GroupSchedule, type DuePass } from './schedule.ts'
import { surveyGroup, type Survey } from './survey.ts'

/** One job for each share of the groups. All of them look at the same schedule, which knows of all groups. */
export function groupJobs(context: WorkContext, deepPassMs: number): Job[] {
  const { clock, watch } = context
  const schedule = new GroupSchedule(deepPassMs)
  watch.onLook((view) => {
    schedule.look(view, clock.monotonicMs(), clock.nowMs())
  })
  const finisher = new SlotFinisher(context)
  return Array.from({ length: GROUP_SHARES }, (_, share) => ({
    lease: `backfill/${share}`,
    kind: 'backfill',
    open: (session) => new GroupRounds({ context, schedule, finisher }, session, share),
  }))
}

interface Shared {
  readonly context: WorkContext
  readonly schedule: GroupSchedule
  readonly finisher: SlotFinisher
}

class GroupRounds implements Rounds {
  readonly #shared: Shared
  readonly #session: Session
  readonly #share: number
  /** What groups lacked when they were last looked at; those that wait for their pass. */
  readonly #surveys = new Map<number, Survey>()
  /** Blobs of a group that may have to be removed when they are older. */
  readonly #suspects = new Map<number, ReadonlySet<string>>()
  /** When a group was first looked at with the slots that it has, monotonic milliseconds. */
  readonly #looks = new Map<number, { readonly group: WorkGroup; readonly firstMs: number }>()

  constructor(shared: Shared, session: Session, share: number) {
    this.#shared = shared
    this.#session = session
    this.#share = share
  }

  async round(): Promise<number> {
    const { context, schedule } = this.#shared
    const { clock, watch } = context
    await watch.view(this.#session.signal)
    const due = schedule.due(clock.monotonicMs(), ({ id }) => id % GROUP_SHARES === this.#share)
    await this.#survey(due)
    this.#tell(due.length)
    const [next] = this.#inOrder(due)
    if (next === undefined) return GROUP_POLL_MS
    await this.#pass(next)
    return due.length > 1 ? 0 : GROUP_POLL_MS
  }

  /** Looks at what those lack that surely lack something, so that the worst come first and it is known what is to come. */
  async #survey(due: readonly DuePass[]): Promise<void> {
    const { context } = this.#shared
    const { signal } = this.#session
    const view = await context.watch.view(signal)
    const unknown = due.filter(
      ({ group }) => !this.#surveys.has(group.id) && group.slots.some(({ filling }) => filling),
    )
    for (const { group } of unknown.slice(0, GROUP_SURVEYS_PER_ROUND)) {
      const newest = view.groups.get(group.id)
      if (newest === undefined) continue
      try {
        this.#surveys.set(group.id, await surveyGroup(context, view, newest, signal))
      } catch (error) {
        signal.throwIfAborted()
        context.log.debug('a group cannot be looked at', { group: group.id, error })
      }
    }
  }

  #inOrder(due: readonly DuePass[]): DuePass[] {
    const spareOf = ({ group, spare }: DuePass): number =>
      Math.min(spare, this.#surveys.get(group.id)?.spare ?? spare)
    return due.toSorted((a, b) => spareOf(a) - spareOf(b))
  }

  async #pass(next: DuePass): Promise<void> {
    const { context, schedule, finisher } = this.#shared
    const { clock, log, watch } = context
    const { signal, progress } = this.#session
    const view = await watch.view(signal)
    const group = view.groups.get(next.group.id)
    if (group === undefined) return
    const began = clock.monotonicMs()
    const look = this.#looks.get(group.id)
    const firstLookMs = look !== undefined && sameSlots(look.group, group) ? look.firstMs : undefined
    this.#looks.set(group.id, { group, firstMs: firstLookMs ?? began })
    try {
      const { result, suspects } = await passGroup(context, finisher, {
        view,
        group,
        deep: next.deep,
        firstLookMs,
        suspects: this.#suspects.get(group.id) ?? new Set(),
        signal,
        onBlob: (blobs, bytes) => {
          progress.add(blobs, bytes)
          progress.itemsWaiting = Math.max(0, progress.itemsWaiting - blobs)
          progress.bytesWaiting = Math.max(0, progress.bytesWaiting - bytes)
        },
      })
      this.#suspects.set(group.id, suspects)
      schedule.passed(next, result, clock.monotonicMs())
    } catch (error) {
      signal.throwIfAborted()
      log.warn('a pass over a placement group failed', { group: group.id, error })
      schedule.failed(next, clock.monotonicMs())
    } finally {
      this.#surveys.delete(group.id)
    }
  }

  #tell(due: number): void {
    const { progress } = this.#session
    const surveys = [...this.#surveys.values()]
    progress.itemsWaiting = surveys.reduce((sum, { blobs }) => sum + blobs, 0)
    progress.bytesWaiting = surveys.reduce((sum, { bytes }) => sum + bytes, 0)
    progress.now = due === 0 ? '' : `${due} placement groups to look through`
  }
}
