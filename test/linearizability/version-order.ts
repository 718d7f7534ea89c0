/** One version of a key in a versioned bucket: an object, or a delete marker. */
export interface MadeVersion {
  readonly versionId: string
  readonly invoked: number
  /** Infinity: the outcome is unknown. */
  readonly responded: number
}

/**
 * Holds a listing of one key's versions, the newest first, against the writes that made them: each acknowledged one is
 * there once, and of two writes that did not overlap the later one is the newer version.
 *
 * @param listed made after all the writes; ids that no answer told belong to writes of unknown outcome
 * @param unknown how many writes there were whose version's id was never told
 * @returns what is wrong with it, for people
 */
export function versionOrderFaults(
  made: readonly MadeVersion[],
  listed: readonly string[],
  unknown = 0,
): string[] {
  const faults: string[] = []
  const writes = new Map(made.map((one) => [one.versionId, one]))
  const seen = new Set<string>()
  let strangers = 0
  /** Of the newer ones, that which was answered first. */
  let first: MadeVersion | undefined
  for (const id of listed) {
    if (seen.has(id)) faults.push(`${id} is listed twice`)
    seen.add(id)
    const write = writes.get(id)
    if (write === undefined) {
      strangers++
      continue
    }
    if (first !== undefined && first.responded < write.invoked) {
      faults.push(`${first.versionId} is listed as newer than ${id}, which was written after it`)
    }
    if (first === undefined || write.responded < first.responded) first = write
  }
  for (const { versionId } of made) if (!seen.has(versionId)) faults.push(`${versionId} is lost`)
  if (strangers > unknown) {
    faults.push(`${strangers} versions are listed that nobody was told of, of at most ${unknown}`)
  }
  return faults
}
