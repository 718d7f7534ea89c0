import { AdmissionGate, type GateSettings, type Ticket } from '../../core/admission/gate.ts'
import { ADMISSION_PROCESS_IN_FLIGHT_MIN } from '../../core/limits.ts'
import type { Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import { OPERATION_CLASSES, positionOf } from './operations.ts'
import { slowDown } from './slow-down.ts'

export interface OverloadPorts {
  readonly clock: Clock
  /** The account that owns a bucket, from memory; undefined: not known, and all such buckets share one account. */
  readonly tenantOf: (bucket: string) => string | undefined
  /** For tests. */
  readonly settings?: Partial<GateSettings>
}

/** How the gates of a process stand: requests in work, how many may be, and those refused since it started. */
export type AdmissionState = Readonly<
  Record<'write' | 'read', { readonly inFlight: number; readonly bound: number; readonly refused: number }>
>

/** Called once when the request is answered, however. */
type Leave = () => void

/** Work that the gate does not see. */
const freely: Leave = () => undefined

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

  constructor(ports: OverloadPorts) {
    this.#ports = ports
    const settings = { inFlightMin: ADMISSION_PROCESS_IN_FLIGHT_MIN, ...ports.settings }
    this.#gates = { write: new AdmissionGate(settings), read: new AdmissionGate(settings) }
  }

  /** @throws {MetadataError} SLOW_DOWN: nothing was done */
  enter(operation: Request['operation']): Leave {
    if (operation.case === undefined) return freely
    const { sender, kind } = OPERATION_CLASSES[operation.case]
    if (sender === 'control') return freely
    const { clock, tenantOf } = this.#ports
    const bucket = sender === 'background' ? BACKGROUND : (positionOf(operation)?.bucket ?? UNKNOWN)
    const tenant = sender === 'background' ? BACKGROUND : (tenantOf(bucket) ?? UNKNOWN)
    const gate = this.#gates[kind]
    const ticket: Ticket | undefined = gate.enter(tenant, bucket, clock.monotonicMs())
    if (ticket === undefined) throw slowDown('this metadata process has more to do than it can')
    return () => {
      gate.leave(ticket, clock.monotonicMs())
    }
  }

  /** For metrics. */
  get state(): AdmissionState {
    const of = ({ inFlight, bound, refused }: AdmissionGate) => ({ inFlight, bound, refused })
    return { write: of(this.#gates.write), read: of(this.#gates.read) }
  }
}
