import { create } from '@bufbuild/protobuf'
import { WORK_LEASE_MS_MAX, WORK_LEASES_MAX, WORK_TEXT_LENGTH_MAX } from '../../core/limits.ts'
import {
  type KeepLeaseReply,
  KeepLeaseReplySchema,
  type KeepLeaseRequest,
  type WorkReport,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import { invalidRequest } from '../failure.ts'

interface Lease {
  readonly holder: string
  /** On the monotonic clock. */
  readonly endsMs: number
  readonly report: WorkReport | undefined
}

/** What those who hold leases on background work say of it. */
export interface WorkReports {
  /** Of the leases that are held now, in order of their names. */
  list(): readonly WorkReport[]
}

/**
 * Leases on pieces of background work, by name, so that several workers share it. In memory only: after a restart nobody holds
 * any, and a piece may be worked on twice until its former holder has asked again. Whoever works must bear that.
 */
export class WorkLeases implements WorkReports {
  readonly #clock: Clock
  readonly #leases = new Map<string, Lease>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Takes a lease that is free, renews the caller's own, or gives it back. Not held is also the answer while there are as many
   * leases as there may be.
   * @throws {MetadataError} INVALID_REQUEST
   */
  keep(request: KeepLeaseRequest): KeepLeaseReply {
    const { name, holder, ttlMs, report } = request
    assertRequest(request)
    const now = this.#clock.monotonicMs()
    const lease = this.#leases.get(name)
    const held = lease !== undefined && now < lease.endsMs
    if (held && lease.holder !== holder) return create(KeepLeaseReplySchema, { holder: lease.holder })
    if (ttlMs === 0) {
      this.#leases.delete(name)
      return create(KeepLeaseReplySchema)
    }
    if (lease === undefined && this.#leases.size >= WORK_LEASES_MAX) this.#forgetEnded(now)
    if (lease === undefined && this.#leases.size >= WORK_LEASES_MAX) return create(KeepLeaseReplySchema)
    this.#leases.set(name, { holder, endsMs: now + ttlMs, report })
    return create(KeepLeaseReplySchema, { held: true, holder })
  }

  list(): readonly WorkReport[] {
    this.#forgetEnded(this.#clock.monotonicMs())
    return [...this.#leases]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, { report }]) => (report === undefined ? [] : [report]))
  }

  #forgetEnded(now: number): void {
    for (const [name, { endsMs }] of this.#leases) if (now >= endsMs) this.#leases.delete(name)
  }
}

function assertRequest({ name, holder, ttlMs, report }: KeepLeaseRequest): void {
  if (name === '' || holder === '') throw invalidRequest('a lease has a name and a holder')
  if (ttlMs > WORK_LEASE_MS_MAX) throw invalidRequest(`a lease lasts ${WORK_LEASE_MS_MAX} ms at most`)
  for (const text of [name, holder, report?.kind ?? '', report?.now ?? '']) {
    if (text.length <= WORK_TEXT_LENGTH_MAX) continue
    throw invalidRequest(`the texts of a lease have at most ${WORK_TEXT_LENGTH_MAX} characters`)
  }
}
