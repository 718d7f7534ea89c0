import type { ListedShard } from '../../proto/shard-transport.ts'
import { type Generation, type JournalName, readJournalBlob, sameGeneration } from './blob-id.ts'
import type { Copies } from './copies.ts'

/**
 * Removes what a new base has made needless: all before the second newest of the whole bases, bases that were never finished, and
 * everything on nodes that are to go.
 * @param newest the generation whose base has just become whole
 */
export async function cleanUp(
  copies: Pick<Copies, 'list' | 'remove'>,
  leaving: ReadonlySet<string>,
  newest: Generation,
): Promise<void> {
  const listed = await copies.list()
  const names = new Map<string, JournalName>()
  for (const shards of listed.values()) {
    for (const { address } of shards) {
      const name = readJournalBlob(address.blob)
      if (name !== undefined) names.set(address.blob, name)
    }
  }
  const needless = needlessAmong([...names.values()], newest)
  for (const [node, shards] of listed) {
    for (const blob of blobsOf(shards)) {
      const name = names.get(blob)
      if (name !== undefined && (leaving.has(node) || needless(name))) await copies.remove(node, blob)
    }
  }
}

/**
 * Tells what of all that there is nobody will read. To be asked while no base is being written.
 * @param newest is whole, whether or not the names say so
 */
export function needlessAmong(
  names: readonly JournalName[],
  newest?: Generation,
): (name: JournalName) => boolean {
  const whole = names.filter(({ kind }) => kind === 'complete')
  const [, second] = whole.toSorted((left, right) => right.number - left.number)
  const keptFrom = second?.number ?? 0
  return (name) =>
    name.number < keptFrom ||
    (name.kind === 'base' &&
      (newest === undefined || !sameGeneration(name, newest)) &&
      !whole.some((complete) => sameGeneration(complete, name)))
}

function blobsOf(shards: readonly ListedShard[]): Set<string> {
  return new Set(shards.map(({ address }) => address.blob))
}
