import { z } from 'zod'
import { LOCAL_NODES_MAX, ZONES_MAX } from '../../core/limits.ts'
import * as field from '../../runtime/config/fields.ts'
import { CommandError } from '../failure.ts'
import { readSmallFile, writePrivateFile } from './files.ts'

/** Format of the data folder as a whole. A program refuses a higher one: a newer program wrote it. */
export const DATA_FORMAT = 1

const internalPort = field.port.min(1)

const clusterFile = z.strictObject({
  format: z.literal(DATA_FORMAT),
  clusterId: z.string().regex(/^[0-9a-f]{32}$/),
  zones: z.int().min(1).max(ZONES_MAX),
  nodesPerZone: z.int().min(1).max(LOCAL_NODES_MAX),
  code: field.code,
  ports: z.strictObject({ metadata: internalPort, nodes: z.record(field.name, internalPort) }),
})

/** What `ashlar start` keeps about a cluster beside its data: `cluster.json`. */
export type ClusterFile = z.output<typeof clusterFile>

/** The part of it that a start may ask for and that cannot change. */
export type Topology = Pick<ClusterFile, 'zones' | 'nodesPerZone' | 'code'>

const FIRST_LETTER = 'a'.codePointAt(0) ?? 0

/** Names of the nodes by zone: `{"zone-a": ["zone-a-1", "zone-a-2"], …}`. */
export function nodesByZone({ zones, nodesPerZone }: Topology): Record<string, string[]> {
  return Object.fromEntries(
    Array.from({ length: zones }, (_zone, index) => {
      const zone = `zone-${String.fromCodePoint(FIRST_LETTER + index)}`
      return [zone, Array.from({ length: nodesPerZone }, (_node, number) => `${zone}-${number + 1}`)]
    }),
  )
}

/** Names of all the nodes, zone by zone. */
export function nodeNames(topology: Topology): string[] {
  return Object.values(nodesByZone(topology)).flat()
}

/**
 * The text of a `cluster.json`, checked.
 * @throws {CommandError} it is of a newer format, or damaged
 */
export function parseClusterFile(text: string, path: string): ClusterFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new CommandError(`${path} is damaged: no valid JSON`, { cause: error })
  }
  const format = z.looseObject({ format: z.int().min(1) }).safeParse(value)
  if (format.success && format.data.format > DATA_FORMAT) {
    throw new CommandError(
      `${path} is of format ${format.data.format}, written by a newer Ashlar; this one knows formats up to ${DATA_FORMAT}`,
      { hints: ['Nothing was changed. Start it with the newer Ashlar.'] },
    )
  }
  const result = clusterFile.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path: at, message }) => `${at.join('.') || 'file'}: ${message}`)
  throw new CommandError(`${path} is damaged: ${faults.join('; ')}`)
}

/** The cluster's file, or undefined if there is none. Errors as {@link parseClusterFile}. */
export async function readClusterFile(path: string): Promise<ClusterFile | undefined> {
  const text = await readSmallFile(path)
  return text === undefined ? undefined : parseClusterFile(text, path)
}

export async function writeClusterFile(path: string, cluster: ClusterFile): Promise<void> {
  await writePrivateFile(path, `${JSON.stringify(cluster, null, 2)}\n`)
}

/**
 * Refuses what would change a cluster that exists.
 * @param wanted only what was asked for by name; what was not takes the cluster's own value
 * @throws {CommandError} naming each difference
 */
export function refuseOtherTopology(path: string, existing: Topology, wanted: Partial<Topology>): void {
  const flags = { zones: '--zones', nodesPerZone: '--nodes-per-zone', code: '--code' } as const
  const differences = (['zones', 'nodesPerZone', 'code'] as const).flatMap((key) => {
    const asked = wanted[key]
    if (asked === undefined || asked === existing[key]) return []
    return [`${flags[key]} is ${existing[key]} there, not ${asked}`]
  })
  if (differences.length === 0) return
  throw new CommandError(`the cluster in ${path} was made differently: ${differences.join('; ')}`, {
    hints: [
      'Zones, nodes and code of a cluster cannot be changed by a start yet.',
      'Leave the flags out, or choose another folder with --data.',
    ],
  })
}
