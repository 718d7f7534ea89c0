import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CommandError } from '../failure.ts'
import { readClusterFile, withMetadataIn, writeClusterFile } from '../folder/cluster-file.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import type { StartConfig } from './config.ts'

/** LevelDB's pointer to what is valid: there since the engine was first opened. */
const ENGINE_FILE = 'CURRENT'

export interface MetadataPlace {
  /** Storage nodes are there, so that metadata is: a place that has none is the wrong one. */
  readonly existing: boolean
  /** Keeps in the folder where the metadata is. */
  readonly remember: () => Promise<void>
}

/**
 * Makes sure that a start uses the metadata that the cluster has. A cluster that has storage nodes once had metadata, which starts before
 * them. Other metadata, or new metadata, would know nothing of what the nodes hold, and would in time remove it.
 * @throws {CommandError} what was asked for is not where the metadata is, or it is gone from there
 */
export async function placeMetadata(
  { paths, cluster }: Pick<DataFolder, 'paths' | 'cluster'>,
  { data, engine }: Pick<StartConfig, 'data' | 'engine'>,
): Promise<MetadataPlace> {
  const inFolder = (await namesIn(paths.metadata)).includes(ENGINE_FILE)
  // Nodes that never wrote have no folder either.
  const existing = (await namesIn(dirname(paths.node('any')))).length > 0
  const before = cluster.metadata ?? 'folder'
  if (engine !== undefined && before === 'folder' && inFolder) {
    throw new CommandError(`the metadata of the cluster in ${data} lies in its folder, not in an engine`, {
      hints: [
        'Start it without --engine; or, to move the metadata into the engine for good:',
        `  ashlar metadata backup --data ${data} --to FILE   while it runs, with no writes after it; then stop it`,
        '  ashlar metadata restore FILE --engine ADDRESS',
        `  mv ${paths.metadata} ${paths.metadata}.moved   and start it with --engine`,
      ],
    })
  }
  if (engine === undefined && existing) {
    if (before === 'engine') throw inEngine(data)
    if (!inFolder) throw lost(data)
  }
  const place = engine === undefined ? 'folder' : 'engine'
  return {
    existing,
    async remember() {
      // Nodes may have been added meanwhile.
      const now = await readClusterFile(paths.cluster)
      if (now === undefined || (now.metadata ?? 'folder') === place) return
      await writeClusterFile(paths.cluster, withMetadataIn(now, place))
    },
  }
}

function inEngine(data: string): CommandError {
  return new CommandError(`the metadata of the cluster in ${data} lies in an engine, not in its folder`, {
    hints: [
      'Start it with --engine, or with the address in ASHLAR_ENGINE; or, to move the metadata into the folder for good:',
      `  ashlar metadata backup --data ${data} --to FILE   while it runs, with no writes after it; then stop it`,
      `  ashlar metadata restore FILE --data ${data}   and start it without --engine`,
    ],
  })
}

function lost(data: string): CommandError {
  return new CommandError(`the metadata of the cluster in ${data} is gone, and its storage nodes are there`, {
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
