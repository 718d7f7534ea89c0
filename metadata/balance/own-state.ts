import { create } from '@bufbuild/protobuf'
import { type ProcessState, ProcessStateSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import type { AdmissionState } from '../admission/overload.ts'
import type { CommitHolds } from '../host/commit-holds.ts'
import type { Engine, EngineSpace } from '../engine/engine.ts'

/** What a metadata process says of itself, for people: what it has refused, and how full its engines are. */
export class OwnState {
  /** What it takes on; undefined until requests are answered. */
  admission: (() => AdmissionState) | undefined
  readonly #self: string
  readonly #engines: ReadonlyMap<string, { readonly kind: string; readonly engine: Engine }>
  readonly #holds: Pick<CommitHolds, 'counts'>
  readonly #spaces = new Map<string, EngineSpace>()

  /** @param engines by the ids that they keep */
  constructor(
    self: string,
    engines: ReadonlyMap<string, { readonly kind: string; readonly engine: Engine }>,
    holds: Pick<CommitHolds, 'counts'>,
  ) {
    this.#self = self
    this.#engines = engines
    this.#holds = holds
  }

  /** Asks the engines that have a bound how full they are. One that does not answer is full as it was. */
  async measure(): Promise<void> {
    for (const [id, { engine }] of this.#engines) {
      const space = await engine.space?.().catch(() => undefined)
      if (space !== undefined) this.#spaces.set(id, space)
    }
  }

  get message(): ProcessState {
    const admission = this.admission?.()
    const { holds, heldMs, expired } = this.#holds.counts
    return create(ProcessStateSchema, {
      node: this.#self,
      commitHolds: BigInt(holds),
      commitHoldMs: BigInt(Math.round(heldMs)),
      commitHoldsExpired: BigInt(expired),
      ...(admission === undefined ? {} : { writes: gate(admission.write), reads: gate(admission.read) }),
      engines: [...this.#engines].map(([id, { kind }]) => {
        const space = this.#spaces.get(id)
        return {
          id,
          kind,
          ...(space === undefined ? {} : { usedBytes: BigInt(space.usedBytes) }),
          ...(space?.quotaBytes === undefined ? {} : { quotaBytes: BigInt(space.quotaBytes) }),
        }
      }),
    })
  }
}

function gate({ inFlight, bound, refused }: AdmissionState['write']) {
  return { inFlight: BigInt(inFlight), bound: BigInt(Math.round(bound)), refused: BigInt(refused) }
}
