import type { Progress } from './progress.ts'

/**
 * One piece of background work. It is done by one process at a time, the one that holds its lease; every now and then two may
 * do it for a moment (a lease lost while its holder stood still, a restart of metadata), which it must bear.
 */
export interface Job {
  /** Of its lease, unique in the cluster: `repair`, `backfill/3`. */
  readonly lease: string
  /** As reports have it: `repair`, `backfill`, `recode`, `garbage`. */
  readonly kind: string
  /** Called when the lease was got, with nothing remembered but what the job itself kept. */
  open(session: Session): Rounds
}

export interface Session {
  /** Aborted when the lease is lost, or the process ends: nothing is begun any more. */
  readonly signal: AbortSignal
  /** What goes into the reports. */
  readonly progress: Progress
}

export interface Rounds {
  /**
   * Decides what is next, and does a bounded piece of it: seconds, or a minute. Resolves to how long to wait before the next
   * round, in milliseconds.
   *
   * @throws anything: the lease is given back, and the job begun anew after a pause, on this process or another
   */
  round(): Promise<number>
}
