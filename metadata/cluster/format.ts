import { KeyReader, KeyWriter } from '../../core/keyspace/bytes.ts'
import { formatKey, restoringKey } from '../../core/keyspace/keys.ts'
import { RECORD_FORMAT } from '../../core/limits.ts'
import { assertKnownFormat } from '../../core/records/format.ts'
import { type Engine, type EngineEntry, FencedError } from '../engine/engine.ts'

/** What is here is a part of a backup. */
export class RestoreInterruptedError extends Error {
  override readonly name = 'RestoreInterruptedError'

  constructor() {
    super('a restore of the metadata here is under way or was interrupted: run it again')
  }
}

/**
 * Stamps a new engine with this program's format, and refuses one that a newer program has written, before anything
 * else is read.
 * @throws {NewerFormatError}
 * @throws {RestoreInterruptedError}
 */
export async function openFormat(engine: Engine): Promise<void> {
  await assertNotRestoring(engine)
  const found = await engine.get(formatKey)
  if (found !== undefined) {
    assertKnownFormat('the metadata here', new KeyReader(found).number(4), RECORD_FORMAT)
    return
  }
  const stamp = formatStamp(RECORD_FORMAT)
  try {
    await engine.commit({ fence: { key: formatKey, token: undefined }, puts: [stamp], deletes: [] })
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    // Another process stamped it in between.
    await openFormat(engine)
    return
  }
  // A restore that began in between has seen the stamp, or is seen here.
  await assertNotRestoring(engine)
}

/** The first byte stands where a key has its space, and is 1: the stamp's own format. */
export function formatStamp(format: number): EngineEntry {
  return { key: formatKey, value: new KeyWriter(1).number(format, 4).bytes() }
}

async function assertNotRestoring(engine: Engine): Promise<void> {
  if ((await engine.get(restoringKey)) !== undefined) throw new RestoreInterruptedError()
}
