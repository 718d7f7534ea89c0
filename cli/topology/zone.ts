import { MemberState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import type { World } from '../world.ts'
import type { ChangeConfig, DrainConfig } from './config.ts'
import { followIf, makeChange, withCluster } from './session.ts'

/** `ashlar zone add|undrain|remove`. */
export async function changeZone(
  verb: 'add' | 'undrain' | 'remove',
  name: string,
  config: ChangeConfig,
  world: World,
): Promise<number> {
  const changes = {
    add: [{ id: name, add: true }, `${name} is a zone of the cluster, and has no nodes yet`],
    undrain: [{ id: name, state: MemberState.ACTIVE }, `the nodes of ${name} take slots again`],
    remove: [{ id: name, remove: true }, `${name} is out of the cluster`],
  } as const
  const [value, done] = changes[verb]
  return await withCluster(config, world, async (session) => {
    await makeChange(session, { case: 'changeZone', value }, config, done)
    return 0
  })
}

export async function drainZone(name: string, config: DrainConfig, world: World): Promise<number> {
  return await withCluster(config, world, async (session) => {
    const { zones } = await session.status()
    const nodes = zones.find(({ zone }) => zone === name)?.nodes.map(({ node }) => node) ?? []
    const value = { id: name, state: MemberState.DRAINING }
    await makeChange(session, { case: 'changeZone', value }, config, `${name} is being drained`)
    return await followIf(config.wait && !config.dryRun, session, { kind: 'leaving', nodes })
  })
}
