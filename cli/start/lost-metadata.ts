import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CommandError } from '../failure.ts'
import type { DataPaths } from '../folder/paths.ts'

/** LevelDB's pointer to what is valid: there since the engine was first opened. */
const ENGINE_FILE = 'CURRENT'

/**
 * A cluster that has storage nodes once had metadata, which starts before them. Where it is gone, a start would make new metadata,
 * to which all that the nodes hold is nobody's, and would in time remove it.
 * @throws {CommandError}
 */
export async function refuseLostMetadata(paths: DataPaths, data: string): Promise<void> {
  if ((await namesIn(paths.metadata)).includes(ENGINE_FILE)) return
  // Nodes that never wrote have no folder either.
  if ((await namesIn(dirname(paths.node('any')))).length === 0) return
  throw new CommandError(`the metadata of the cluster in ${data} is gone, and its storage nodes are there`, {
    hints: [
      `Bring it back from the nodes:  ashlar metadata recover --data ${data}`,
      `or from a backup:              ashlar metadata restore FILE --data ${data}`,
      `or, the last resort, of shards: ashlar fsck --rebuild --data ${data}`,
    ],
  })
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => [])
}
