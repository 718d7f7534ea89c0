import { z } from 'zod'
import { LOCAL_NODES_MAX, ZONES_MAX } from '../../core/limits.ts'
import * as field from '../../runtime/config/fields.ts'
import { CommandError } from '../failure.ts'
import { readSmallFile, writePrivateFile } from './files.ts'

/** Format of the data folder as a whole. A program refuses a higher one: a newer program wrote it. */
export const DATA_FORMAT = 2

const internalPort = field.port.min(1)
const clusterId = z.string().regex(/^[0-9a-f]{32}$/)
const topology = z.strictObject({
  zones: z.int().min(1).max(ZONES_MAX),
  nodesPerZone: z.int().min(1).max(LOCAL_NODES_MAX),
  code: field.code,
})
const nodePorts = z.record(field.name, internalPort)

const clusterFile = z
  .strictObject({
    format: z.literal(DATA_FORMAT),
    clusterId,
    /** What the first start was asked for. The cluster may have grown since. */
    made: topology,
    /** Names of the storage nodes by zone. */
    zones: z.record(field.name, z.array(field.name)),
    /** Where the metadata lies: absent in the folder. Never an address, which may have a password. */
    metadata: z.literal('engine').optional(),
    ports: z.strictObject({
      metadata: internalPort,
      /** Of the second metadata process and those after it; absent where there is one. */
      moreMetadata: z.array(internalPort).optional(),
      /** Of metrics and the admin interface; absent until a start has chosen one. */
      admin: internalPort.optional(),
      nodes: nodePorts,
    }),
  })
  .superRefine(({ zones, ports }, context) => {
    const names = Object.values(zones).flat()
    const fault = (message: string) => {
      context.addIssue({ code: 'custom', path: ['zones'], message })
    }
    if (new Set(names).size !== names.length) fault('a node is named twice')
    for (const name of names) if (ports.nodes[name] === undefined) fault(`${name} has no port`)
  })

/** Format 1 knew only clusters that are alike in all zones. */
const clusterFile1 = z.strictObject({
  format: z.literal(1),
  clusterId,
  ...topology.shape,
  ports: z.strictObject({ metadata: internalPort, nodes: nodePorts }),
})

/** What `ashlar start` keeps about a cluster beside its data: `cluster.json`. */
export type ClusterFile = z.output<typeof clusterFile>

/** What a first start may ask for: the layout of a new cluster. */
export type Topology = z.output<typeof topology>

const FIRST_LETTER = 'a'.codePointAt(0) ?? 0

/** Names of the nodes of a new cluster by zone: `{"zone-a": ["zone-a-1", "zone-a-2"], …}`. */
export function nodesByZone({ zones, nodesPerZone }: Topology): Record<string, string[]> {
  return Object.fromEntries(
    Array.from({ length: zones }, (_zone, index) => {
      const zone = `zone-${String.fromCodePoint(FIRST_LETTER + index)}`
      return [zone, Array.from({ length: nodesPerZone }, (_node, number) => `${zone}-${number + 1}`)]
    }),
  )
}

/** Names of all the nodes, zone by zone. */
export function nodeNames({ zones }: Pick<ClusterFile, 'zones'>): string[] {
  return Object.values(zones).flat()
}

/** Ports of the metadata processes of the last start. */
export function metadataPorts({ ports }: Pick<ClusterFile, 'ports'>): number[] {
  return [ports.metadata, ...(ports.moreMetadata ?? [])]
}

/** The same cluster with its metadata in another place. Folders as earlier programs know them stay as they know them. */
export function withMetadataIn(cluster: ClusterFile, place: 'folder' | 'engine'): ClusterFile {
  const { metadata: _before, ...rest } = cluster
  return place === 'folder' ? rest : { ...rest, metadata: place }
}

/** The same cluster with a node more. */
export function withNode(cluster: ClusterFile, zone: string, node: string, port: number): ClusterFile {
  const { zones, ports } = cluster
  return {
    ...cluster,
    zones: { ...zones, [zone]: [...(zones[zone] ?? []), node] },
    ports: { ...ports, nodes: { ...ports.nodes, [node]: port } },
  }
}

/** The same cluster without a node, and without its zone if that has no other. */
export function withoutNode(cluster: ClusterFile, node: string): ClusterFile {
  const { zones, ports } = cluster
  return {
    ...cluster,
    zones: Object.fromEntries(
      Object.entries(zones)
        .map(([zone, names]): [string, string[]] => [zone, names.filter((name) => name !== node)])
        .filter(([, names]) => names.length > 0),
    ),
    ports: {
      ...ports,
      nodes: Object.fromEntries(Object.entries(ports.nodes).filter(([name]) => name !== node)),
    },
  }
}

/**
 * The text of a `cluster.json`, checked. One of an older format is brought to this one's shape.
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
  if (format.success && format.data.format === 1) {
    return checked(clusterFile, fromFormat1(checked(clusterFile1, value, path)), path)
  }
  return checked(clusterFile, value, path)
}

function checked<S extends z.ZodType>(schema: S, value: unknown, path: string): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path: at, message }) => `${at.join('.') || 'file'}: ${message}`)
  throw new CommandError(`${path} is damaged: ${faults.join('; ')}`)
}

function fromFormat1({
  clusterId: id,
  zones,
  nodesPerZone,
  code,
  ports,
}: z.output<typeof clusterFile1>): ClusterFile {
  const made = { zones, nodesPerZone, code }
  return { format: DATA_FORMAT, clusterId: id, made, zones: nodesByZone(made), ports }
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
 * Refuses a start that asks for another cluster than the one that was made here.
 * @param made what its first start was asked for
 * @param wanted only what was asked for by name; what was not takes the cluster's own value
 * @throws {CommandError} naming each difference
 */
export function refuseOtherTopology(path: string, made: Topology, wanted: Partial<Topology>): void {
  const flags = { zones: '--zones', nodesPerZone: '--nodes-per-zone', code: '--code' } as const
  const differences = (['zones', 'nodesPerZone', 'code'] as const).flatMap((key) => {
    const asked = wanted[key]
    if (asked === undefined || asked === made[key]) return []
    return [`${flags[key]} was ${made[key]}, not ${asked}`]
  })
  if (differences.length === 0) return
  throw new CommandError(`the cluster in ${path} was made differently: ${differences.join('; ')}`, {
    hints: [
      'These flags are for the first start. A cluster that runs is changed by ashlar node, ashlar zone and ashlar pool.',
      'Leave the flags out, or choose another folder with --data.',
    ],
  })
}
