import { AdmissionGate, type GateSettings } from '../../core/admission/gate.ts'
import { ADMISSION_PROCESS_IN_FLIGHT_MIN } from '../../core/limits.ts'
import { FailureCode, type Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { Admissions } from './admissions.ts'
import { admissionOf, OPERATION_CLASSES, positionOf } from './operations.ts'
import { slowDown } from './slow-down.ts'

export interface OverloadPorts {
  readonly clock: Clock
  readonly random: Random
  /** The account that owns a bucket, from memory; undefined: not known, and all such buckets share one account. */
  readonly tenantOf: (bucket: string) => string | undefined
  /** For tests. */
  readonly settings?: Partial<GateSettings>
}

/** How the gates of a process stand: requests in work, how many may be, and those refused since it started. */
export type AdmissionState = Readonly<
  Record<'write' | 'read', { readonly inFlight: number; readonly bound: number; readonly refused: number }>
>

/** A request that was let in. */
export interface Passage {
  /** It was counted and found within all rates when it asked beforehand. */
  readonly counted: boolean
  /** Of a request that asks beforehand, once all others have agreed: the admission that its commit comes with. */
  readonly admit?: () => bigint
  /** Once, when it is answered. @param failure what it is answered with, if it did not take place */
  leave(failure?: FailureCode): void
}

/** Work that the gate does not see. */
const freely: Passage = { counted: false, leave: () => undefined }

/** Tenants that are no accounts: the workers, and owners of buckets that are not known. */
const BACKGROUND = '\0background'
const UNKNOWN = '\0unknown'

/**
 * What one process of metadata takes on: writes and reads through a gate each, since reads from memory say nothing of a queue
 * before the engine. Workers are one tenant among the others: they get their share, and no more. What keeps the cluster
 * together is never refused.
 */
export class Overload {
  readonly #ports: OverloadPorts
  readonly #gates: { readonly write: AdmissionGate; readonly read: AdmissionGate }
  readonly #admissions: Admissions

  constructor(ports: OverloadPorts) {
    this.#ports = ports
    const settings = { inFlightMin: ADMISSION_PROCESS_IN_FLIGHT_MIN, ...ports.settings }
    this.#gates = { write: new AdmissionGate(settings), read: new AdmissionGate(settings) }
    this.#admissions = new Admissions(ports.clock, ports.random)
  }

  /** @throws {MetadataError} SLOW_DOWN: nothing was done */
  enter(operation: Request['operation']): Passage {
    if (operation.case === undefined) return freely
    const { sender, kind } = OPERATION_CLASSES[operation.case]
    if (sender === 'control') return freely
    const { clock, tenantOf } = this.#ports
    const position = positionOf(operation)
    const bucket = sender === 'background' ? BACKGROUND : (position?.bucket ?? UNKNOWN)
    const tenant = sender === 'background' ? BACKGROUND : (tenantOf(bucket) ?? UNKNOWN)
    const gate = this.#gates[kind]
    if (operation.case === 'admitWrite') {
      const reservation = gate.reserve(tenant, bucket, clock.monotonicMs())
      if (reservation === undefined) throw tooMuch()
      let admitted = false
      return {
        counted: false,
        admit: () => {
          admitted = true
          return this.#admissions.give(operation.value, reservation)
        },
        leave: () => {
          if (!admitted) gate.cancel(reservation)
        },
      }
    }
    const id = admissionOf(operation)
    const admission = id === 0n || position === undefined ? undefined : this.#admissions.take(id, position)
    const ticket = gate.enter(tenant, bucket, clock.monotonicMs(), admission?.reservation)
    if (ticket === undefined) throw tooMuch()
    return {
      counted: admission !== undefined,
      leave: (failure) => {
        gate.leave(ticket, clock.monotonicMs())
        if (admission === undefined || failure !== FailureCode.NOT_MINE) return
        this.#admissions.giveBack(id, admission)
      },
    }
  }

  /** For metrics. */
  get state(): AdmissionState {
    const of = (gate: AdmissionGate) => {
      gate.letGo(this.#ports.clock.monotonicMs())
      const { inFlight, bound, refused } = gate
      return { inFlight, bound, refused }
    }
    return { write: of(this.#gates.write), read: of(this.#gates.read) }
  }
}

const tooMuch = () => slowDown('this metadata process has more to do than it can')
