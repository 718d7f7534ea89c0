import { createServer } from 'node:net'
import type { Random } from '../../runtime/ports/random.ts'
import { CommandError } from '../failure.ts'
import { writeClusterFile, type ClusterFile } from './cluster-file.ts'
import type { DataFolder } from './data-folder.ts'

/**
 * Ports for the services of one machine are taken below the range from which operating systems take the local ports of
 * outgoing connections (32768 up on Linux, 49152 up on macOS): a node that is down for a minute then finds its port
 * free again.
 */
const FIRST = 20_000
const COUNT = 12_000

/** Ports tried before giving up: with even half of the range in use, the chance of a failure is 2^-1000. */
const TRIES_MAX = 1000

/**
 * `count` different ports that nothing listens on at `host`, from a random start on.
 * @throws {CommandError} there are not that many
 */
export async function findFreePorts(count: number, host: string, random: Random): Promise<number[]> {
  const start = Buffer.from(random.bytes(4)).readUInt32BE()
  const found: number[] = []
  for (let tried = 0; tried < count + TRIES_MAX && found.length < count; tried++) {
    const port = FIRST + ((start + tried) % COUNT)
    if (await isFree(port, host)) found.push(port)
  }
  if (found.length === count) return found
  throw new CommandError(`no ${count} free ports on ${host} between ${FIRST} and ${FIRST + COUNT}`)
}

/**
 * The cluster with ports that are free now: those it has, or others in the place of those that something else took
 * meanwhile. Every service learns the addresses of the others at its start, so that they may change between starts.
 * @param metadataProcesses how many there are to be
 * @param gateways ports that the gateways are to have, which nothing listens on yet
 */
export async function keepFreePorts(
  { cluster, paths }: Pick<DataFolder, 'cluster' | 'paths'>,
  host: string,
  random: Random,
  metadataProcesses: number,
  gateways: readonly number[] = [],
): Promise<ClusterFile> {
  const { metadata, moreMetadata = [], admin, nodes } = cluster.ports
  const more = moreMetadata.slice(0, metadataProcesses - 1)
  const wanted = Array.from({ length: metadataProcesses - 1 - more.length }, () => undefined)
  const kept = [metadata, ...more, ...(admin === undefined ? [] : [admin]), ...Object.values(nodes)]
  const free = new Set<number>()
  for (const port of kept) if (!gateways.includes(port) && (await isFree(port, host))) free.add(port)
  const complete = admin !== undefined && wanted.length === 0 && more.length === moreMetadata.length
  if (complete && free.size === kept.length) return cluster
  const count = 2 * kept.length + wanted.length + gateways.length + 1
  const others = (await findFreePorts(count, host, random)).filter(
    (port) => !free.has(port) && !gateways.includes(port),
  )
  const choose = (port: number | undefined): number => {
    if (port !== undefined && free.delete(port)) return port
    const other = others.pop()
    if (other === undefined) throw new Error('fewer ports were found than were asked for')
    return other
  }
  const first = choose(metadata)
  const rest = [...more, ...wanted].map(choose)
  const changed: ClusterFile = {
    ...cluster,
    ports: {
      metadata: first,
      ...(rest.length === 0 ? {} : { moreMetadata: rest }),
      admin: choose(admin),
      nodes: Object.fromEntries(Object.entries(nodes).map(([node, port]) => [node, choose(port)])),
    },
  }
  await writeClusterFile(paths.cluster, changed)
  return changed
}

/** Whether one could listen there now. */
export async function isFree(port: number, host: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const server = createServer()
  server.once('error', () => {
    resolve(false)
  })
  server.listen({ port, host, exclusive: true }, () => {
    server.close(() => {
      resolve(true)
    })
  })
  return await promise
}
