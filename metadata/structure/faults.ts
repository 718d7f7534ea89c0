import { BACKUP_FAULTS_NAMED_MAX } from '../../core/limits.ts'
import type { FaultKind } from './kinds.ts'

/** What a fault is of, as far as the records say. */
export interface FaultPlace {
  readonly bucket?: string
  readonly key?: string
  /** Of an object, or the id of an upload. */
  readonly version?: string
  /** Its number, of what is a partition's. */
  readonly partition?: number
}

/** Records that cannot be, or do not fit each other. */
export interface Fault {
  readonly kind: FaultKind
  /** What is wrong, for people: it goes on after the name of the place. */
  readonly detail: string
  readonly place: FaultPlace
}

/** Takes what a check finds. */
export abstract class Faults {
  abstract add(kind: FaultKind, detail: string, place?: FaultPlace): void

  /** What does not throw is well. @param what is being read */
  try<T>(what: () => string, place: FaultPlace, run: () => T): T | undefined {
    try {
      return run()
    } catch (error) {
      this.add('record', `${what()}: ${error instanceof Error ? error.message : String(error)}`, place)
      return undefined
    }
  }
}

/** Tells each fault as it is found. */
export class ToldFaults extends Faults {
  readonly #tell: (fault: Fault) => void

  constructor(tell: (fault: Fault) => void) {
    super()
    this.#tell = tell
  }

  override add(kind: FaultKind, detail: string, place: FaultPlace = {}): void {
    this.#tell({ kind, detail, place })
  }
}

/** A sentence each: the first are kept, all are counted. */
export class NamedFaults extends Faults {
  readonly named: string[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  override add(_kind: FaultKind, detail: string, place: FaultPlace = {}): void {
    this.#count++
    if (this.named.length < BACKUP_FAULTS_NAMED_MAX) this.named.push(sentence(detail, place))
  }
}

function sentence(detail: string, { bucket, key, partition }: FaultPlace): string {
  if (partition !== undefined) return `partition ${partition}: ${detail}`
  if (bucket === undefined) return detail
  return key === undefined ? `bucket ${bucket}: ${detail}` : `${bucket}/${key}: ${detail}`
}
