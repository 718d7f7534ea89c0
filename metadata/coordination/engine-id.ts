import { engineIdKey } from '../../core/keyspace/keys.ts'
import type { Random } from '../../runtime/ports/random.ts'
import { type Engine, FencedError } from '../engine/engine.ts'

const ID_BYTES = 8

/** The id that an engine keeps, by which the partition map names it; a new one is given it. 16 hex digits. */
export async function openEngineId(engine: Engine, random: Random): Promise<string> {
  const found = await engine.get(engineIdKey)
  if (found !== undefined) return Buffer.from(found).toString('hex')
  const id = random.bytes(ID_BYTES)
  const fence = { key: engineIdKey, token: undefined }
  try {
    await engine.commit({ fence, puts: [{ key: engineIdKey, value: id }], deletes: [] })
    return Buffer.from(id).toString('hex')
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    // Another process gave it one in between.
    return openEngineId(engine, random)
  }
}
