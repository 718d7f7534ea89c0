/**
 * Names of what lies in the journal's group: blob ids that sort by generation. 12 hex digits of the generation's number, which
 * grows with each base; 6 of the life that made it, a random number of each process; 2 of the kind; 12 of the sequence.
 */

/** A base and the segments that follow it. */
export interface Generation {
  /** Unix milliseconds when its base was begun, or more where clocks went back. */
  readonly number: number
  /** 0 ≤ life < 2^24: two processes that know nothing of each other make two generations. */
  readonly life: number
}

/** `base`: a snapshot of everything. `complete`: says that the base is whole. `segment`: commits that follow, in order. */
export type JournalKind = 'base' | 'complete' | 'segment'

export interface JournalName extends Generation {
  readonly kind: JournalKind
  /** Of segments, from 1; 0 for the others. */
  readonly sequence: number
}

const KINDS: readonly JournalKind[] = ['base', 'complete', 'segment']
const NAME = /^([0-9a-f]{12})([0-9a-f]{6})([0-9a-f]{2})([0-9a-f]{12})$/

export function journalBlob({ number, life, kind, sequence }: JournalName): string {
  return hex(number, 12) + hex(life, 6) + hex(KINDS.indexOf(kind), 2) + hex(sequence, 12)
}

/** Undefined for what {@link journalBlob} never makes. */
export function readJournalBlob(blob: string): JournalName | undefined {
  const [, number = '', life = '', kind = '', sequence = ''] = NAME.exec(blob) ?? []
  const known = KINDS[Number.parseInt(kind, 16)]
  if (known === undefined) return undefined
  return {
    number: Number.parseInt(number, 16),
    life: Number.parseInt(life, 16),
    kind: known,
    sequence: Number.parseInt(sequence, 16),
  }
}

export function sameGeneration(left: Generation, right: Generation): boolean {
  return left.number === right.number && left.life === right.life
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}
