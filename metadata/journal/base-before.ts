import type { Holdings } from './holdings.ts'
import { readSegment } from './segments.ts'
import type { JournalPosition } from './tail.ts'

/** A whole base from which segments lead up to where somebody wants to go on. */
export interface LeadingBase {
  readonly atMs: number
  readonly fileBytes: number
  /** Those that lead up. */
  readonly segments: number
  readonly segmentBytes: number
}

/** Undefined: something on the way is not there. */
export async function baseBefore(
  holdings: Holdings,
  position: JournalPosition,
): Promise<LeadingBase | undefined> {
  let segments = 0
  let segmentBytes = 0
  for (let at: JournalPosition | undefined = position; at !== undefined;) {
    const { number, life } = at
    for (let sequence = 1; sequence <= at.sequence; sequence++) {
      const name = { number, life, kind: 'segment', sequence } as const
      if (!holdings.has(name)) return undefined
      segments++
      segmentBytes += await holdings.source(name).size()
    }
    const complete = { number, life, kind: 'complete', sequence: 0 } as const
    if (holdings.has(complete)) {
      const fileBytes = fileBytesOf(await holdings.read(complete))
      if (!holdings.hasAll({ ...complete, kind: 'base' }, fileBytes)) return undefined
      return { atMs: number, fileBytes, segments, segmentBytes }
    }
    const first = await readSegment(holdings, at, 1)
    at = first?.head.follows
  }
  return undefined
}

function fileBytesOf(complete: Uint8Array): number {
  const document: unknown = JSON.parse(new TextDecoder().decode(complete))
  const known = typeof document === 'object' && document !== null && 'fileBytes' in document
  return known ? Number(document.fileBytes) : 0
}
