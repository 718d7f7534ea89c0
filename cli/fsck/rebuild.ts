import { rootAccount } from '../../gateway/accounts/directory.ts'
import { defaultPools } from '../../metadata/main.ts'
import { EngineNotEmptyError } from '../../metadata/backup/restore.ts'
import { EngineSpecError } from '../../metadata/engine/open.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { CommandError, EXIT_USAGE } from '../failure.ts'
import { readClusterFile } from '../folder/cluster-file.ts'
import { lockWithin } from '../folder/lock.ts'
import { dataPaths } from '../folder/paths.ts'
import { readSecret } from '../folder/secret.ts'
import { Progress } from '../metadata/progress.ts'
import { openRestoreTarget, type RestoreTarget } from '../metadata/restore-target.ts'
import { listenForStop } from '../processes/stop.ts'
import type { World } from '../world.ts'
import type { FsckConfig } from './config.ts'
import { rebuildCluster } from './rebuild-cluster.ts'
import { openNodes, reachNodes, type OpenedNodes } from './rebuild-nodes.ts'
import { RebuildReport } from './rebuild-report.ts'

const EXIT_DONE = 0
/** Metadata was rebuilt, without what is on some nodes. */
const EXIT_BLIND = 2

/** Where the shards are, and where the records are to go; all of it held. */
interface Site {
  readonly clusterId: string
  readonly code: string | undefined
  readonly opened: OpenedNodes
  readonly target: RestoreTarget
  close(): Promise<void>
}

/** Makes metadata anew, of shards alone. Resolves to the exit code. */
export async function runRebuild(config: FsckConfig, world: World): Promise<number> {
  const site = await openSite(config, world).catch((error: unknown) => {
    throw explained(error)
  })
  const { clusterId, opened, target } = site
  const report = new RebuildReport()
  const progress = new Progress(world)
  const { signal } = listenForStop(world.clock)
  const unversioned = new Set((config.unversioned ?? '').split(',').map((name) => name.trim()))
  try {
    const { clock, random } = world
    const result = await rebuildCluster(
      { engine: target.engine, shards: opened.shards, clock, random },
      {
        clusterId,
        nodes: opened.nodes,
        pools: defaultPools(config.code ?? site.code),
        owner: config.owner ?? rootAccount(nodeDigests).id,
        unversioned: (bucket) => unversioned.has('*') || unversioned.has(bucket),
        digests: !config.noDigests,
        signal,
        onNote: (note) => {
          report.add(note)
          if (config.json) world.out(`${JSON.stringify(note)}\n`)
        },
        onProgress: (line) => {
          progress.say(line)
        },
      },
    )
    // A node that could not be opened does not answer either.
    const blind = [
      ...opened.blind,
      ...result.blind.filter(({ what }) => !opened.blind.some((one) => one.what === what)),
    ]
    const whole = { ...result, blind }
    await target.use()
    const { counts, shards, unowned } = whole
    world.out(
      config.json
        ? `${JSON.stringify({ result: { counts, shards, unowned, blind, notes: report.kinds } })}\n`
        : report.render(whole, target.name, !config.noDigests),
    )
    return blind.length > 0 ? EXIT_BLIND : EXIT_DONE
  } catch (error) {
    throw explained(error)
  } finally {
    await site.close()
  }
}

async function openSite(config: FsckConfig, world: World): Promise<Site> {
  const { data, engine, nodes, secretFile, clusterId } = config
  if (nodes !== undefined && secretFile !== undefined && clusterId !== undefined) {
    const opened = reachNodes(nodes, await readSecret(secretFile), world)
    const target = await openRestoreTarget({ data, engine }, clusterId, world)
    return siteOf(clusterId, undefined, opened, target, () => undefined)
  }
  const paths = dataPaths(data)
  const cluster = await readClusterFile(paths.cluster)
  if (cluster === undefined) {
    throw new CommandError(`no cluster in ${data}`, {
      hints: ['Name the folder of the cluster with --data, or its storage nodes with --nodes.'],
    })
  }
  // Without an engine of another name, the target holds the folder.
  const lock = engine === undefined ? undefined : await lockWithin(paths.lock, world.clock, 0)
  if (engine !== undefined && lock === undefined) {
    throw new CommandError(`the cluster in ${data} is running`, { hints: ['Stop it first.'] })
  }
  const release = () => lock?.release()
  try {
    const target = await openRestoreTarget({ data, engine }, cluster.clusterId, world)
    try {
      const opened = await openNodes(cluster, data, world)
      return siteOf(cluster.clusterId, cluster.made.code, opened, target, release)
    } catch (error) {
      await target.close()
      throw error
    }
  } catch (error) {
    release()
    throw error
  }
}

function siteOf(
  clusterId: string,
  code: string | undefined,
  opened: OpenedNodes,
  target: RestoreTarget,
  release: () => void,
): Site {
  return {
    clusterId,
    code,
    opened,
    target,
    async close() {
      await opened.close()
      await target.close()
      release()
    },
  }
}

function explained(error: unknown): unknown {
  if (error instanceof EngineSpecError) {
    return new CommandError(error.message, { exitCode: EXIT_USAGE, cause: error })
  }
  if (!(error instanceof EngineNotEmptyError)) return error
  return new CommandError('the engine is not empty: metadata is rebuilt into an empty one only', {
    hints: ['Move what is there away first, such as the folder metadata of a local cluster, and keep it.'],
    cause: error,
  })
}
