import { KeyReader, KeyWriter } from '../../core/keyspace/bytes.ts'
import { formatKey } from '../../core/keyspace/keys.ts'
import { RECORD_FORMAT } from '../../core/limits.ts'
import { assertKnownFormat } from '../../core/records/format.ts'
import { type Engine, FencedError } from '../engine/engine.ts'

/**
 * Stamps a new engine with this program's format, and refuses one that a newer program has written, before anything
 * else is read.
 * @throws {NewerFormatError}
 */
export async function openFormat(engine: Engine): Promise<void> {
  const found = await engine.get(formatKey)
  if (found !== undefined) {
    assertKnownFormat('the metadata here', new KeyReader(found).number(4), RECORD_FORMAT)
    return
  }
  // The first byte stands where a key has its space, and is 1: the stamp's own format.
  const stamp = { key: formatKey, value: new KeyWriter(1).number(RECORD_FORMAT, 4).bytes() }
  try {
    await engine.commit({ fence: { key: formatKey, token: undefined }, puts: [stamp], deletes: [] })
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    // Another process stamped it in between.
    await openFormat(engine)
  }
}
