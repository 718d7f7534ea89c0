import { BackupDamagedError } from '../backup/format/frame.ts'
import type { Generation, JournalName } from './blob-id.ts'
import type { Holdings } from './holdings.ts'
import { decodeSegment, type Segment } from './segment.ts'

/**
 * The segments that come after a base, in order, up to the first that is not there or cannot be read. A generation goes on from where
 * its first segment says. Of several that go on from one segment the latest counts, and what the generation before had after it does not:
 * whoever began the later one made good what it may have lacked.
 */
export async function* followingSegments(holdings: Holdings, from: Generation): AsyncGenerator<Segment> {
  const followers = await followersOf(holdings)
  let at = { ...from, sequence: 0 }
  for (;;) {
    let segment: Segment | undefined
    for (const later of followers.get(idOf(at)) ?? []) segment ??= await readSegment(holdings, later, 1)
    segment ??= await readSegment(holdings, at, at.sequence + 1)
    if (segment === undefined) return
    yield segment
    at = segment.head
  }
}

/** Undefined where it is not there or cannot be read. */
export async function readSegment(
  holdings: Holdings,
  { number, life }: Generation,
  sequence: number,
): Promise<Segment | undefined> {
  const name = { number, life, kind: 'segment', sequence } as const
  if (!holdings.has(name)) return undefined
  try {
    return await decodeSegment(await holdings.read(name))
  } catch (error) {
    if (error instanceof BackupDamagedError) return undefined
    throw error
  }
}

/** Generations by the segment that they go on from, the latest first. */
async function followersOf(holdings: Holdings): Promise<Map<string, JournalName[]>> {
  const followers = new Map<string, JournalName[]>()
  const firsts = holdings.names.filter(({ kind, sequence }) => kind === 'segment' && sequence === 1)
  for (const first of firsts.toSorted((left, right) => right.number - left.number)) {
    const follows = (await readSegment(holdings, first, 1))?.head.follows
    if (follows === undefined || follows.number >= first.number) continue
    const known = followers.get(idOf(follows)) ?? []
    followers.set(idOf(follows), [...known, first])
  }
  return followers
}

function idOf({ number, life, sequence }: Generation & { readonly sequence: number }): string {
  return `${number} ${life} ${sequence}`
}
