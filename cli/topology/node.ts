import { NODE_START_WAIT_MS, STATUS_WATCH_MS } from '../../core/limits.ts'
import { MemberState } from '../../proto/gen/ashlar/v1/cluster_pb.js'
import { CommandError, EXIT_FAILURE, EXIT_USAGE } from '../failure.ts'
import type { LocalCluster } from '../target.ts'
import type { World } from '../world.ts'
import { changeCluster } from './change.ts'
import type { ChangeConfig, DrainConfig, NodeAddConfig, NodeRemoveConfig } from './config.ts'
import { weight as weightField } from './config.ts'
import {
  addLocalNode,
  refuseLocalNode,
  removeLocalNode,
  runMode,
  startCommand,
  startDetached,
} from './local-node.ts'
import { lossText } from './render.ts'
import { followIf, makeChange, nodesOf, withCluster, type Session } from './session.ts'

/** `ashlar node add`: into the map first, then onto this machine, so that what was cut short is finished by asking again. */
export async function addNode(name: string, config: NodeAddConfig, world: World): Promise<number> {
  return await withCluster(config, world, async (session) => {
    const { local } = session
    const before = await session.status()
    const there = before.zones.find(({ nodes }) => nodes.some(({ node }) => node === name))
    const unfinished =
      there?.zone === config.zone && local !== undefined && local.cluster.ports.nodes[name] === undefined
    // Of a node that is there already, metadata says so.
    if (local !== undefined && there === undefined) await refuseLocalNode(local.paths, local.cluster, name)
    if (!unfinished) {
      const value = { id: name, zone: config.zone, weight: config.weight }
      await makeChange(session, { case: 'addNode', value }, config, `${name} is a node of ${config.zone}`)
      if (config.dryRun) return 0
    }
    if (local !== undefined) await bringUp(name, config, local, session)
    else if (!config.json) {
      world.out(`Start it there: ashlar storage-node --node ${name} --zone ${config.zone} …\n`)
    }
    return await followIf(config.wait, session, { kind: 'coming', node: name })
  })
}

async function bringUp(
  name: string,
  config: NodeAddConfig,
  local: LocalCluster,
  session: Session,
): Promise<void> {
  const { world } = session
  const { paths } = local
  const say = config.json ? world.err : world.out
  const node = await addLocalNode(paths, config.zone, name, world)
  const mode = await runMode(paths)
  if (mode === 'separate' && !config.start) {
    say(`Start it: ${startCommand(node, world)}\n`)
    return
  }
  if (mode === 'stopped') {
    say(`It runs from the next ashlar start on.\n`)
    return
  }
  const pid = mode === 'separate' ? await startDetached(paths, node, world) : undefined
  const address = await comesUp(name, session)
  const log = mode === 'separate' ? `${paths.log(`storage-node-${name}`)} says why` : 'ashlar start says why'
  if (address === undefined) {
    throw new CommandError(
      `${name} is in the cluster and did not come up within ${NODE_START_WAIT_MS / 1000} s`,
      {
        hints: [`${log}. What belongs on it waits for it.`],
      },
    )
  }
  say(`${name} is up${address === '' ? '' : ` on ${address}`}.\n`)
  if (pid === undefined) return
  say(
    `It is process ${pid}, apart from ashlar start: stop it too when you stop that (kill ${pid}). The next ashlar start runs it itself.\n`,
  )
}

/** Resolves to its address; undefined if it is not up in time. */
async function comesUp(name: string, session: Session): Promise<string | undefined> {
  const { clock } = session.world
  const endMs = clock.monotonicMs() + NODE_START_WAIT_MS
  for (;;) {
    const node = nodesOf(await session.status()).find((one) => one.node === name)
    if (node !== undefined && node.state !== 'down') return node.address
    if (clock.monotonicMs() >= endMs) return undefined
    await clock.sleep(STATUS_WATCH_MS / 10)
  }
}

export async function drainNode(name: string, config: DrainConfig, world: World): Promise<number> {
  return await withCluster(config, world, async (session) => {
    await makeChange(session, stateChange(name, MemberState.DRAINING), config, `${name} is being drained`)
    return await followIf(config.wait && !config.dryRun, session, { kind: 'leaving', nodes: [name] })
  })
}

export async function undrainNode(name: string, config: ChangeConfig, world: World): Promise<number> {
  return await withCluster(config, world, async (session) => {
    await makeChange(session, stateChange(name, MemberState.ACTIVE), config, `${name} takes slots again`)
    return 0
  })
}

export async function weighNode(
  name: string,
  text: string,
  config: ChangeConfig,
  world: World,
): Promise<number> {
  const weight = weightField.safeParse(Number(text))
  if (!weight.success) {
    throw new CommandError(`weight: ${weight.error.issues[0]?.message ?? 'invalid'}`, {
      exitCode: EXIT_USAGE,
    })
  }
  return await withCluster(config, world, async (session) => {
    const value = { id: name, weight: weight.data }
    await makeChange(session, { case: 'changeNode', value }, config, `${name} has weight ${weight.data}`)
    return 0
  })
}

/** `ashlar node remove`: drained first with `--wait`, given up first with `--lost`. */
export async function removeNode(name: string, config: NodeRemoveConfig, world: World): Promise<number> {
  if (config.lost && config.wait) {
    throw new CommandError('--lost and --wait: a lost node cannot be drained', { exitCode: EXIT_USAGE })
  }
  return await withCluster(config, world, async (session) => {
    const before = await session.status()
    const node = nodesOf(before).find((one) => one.node === name)
    if (config.lost && node?.state !== 'lost') {
      if (!config.dryRun && !(await giveUpConfirmed(name, config, session))) return EXIT_FAILURE
      await makeChange(session, stateChange(name, MemberState.LOST), config, `${name} is given up`)
      if (config.dryRun) return 0
    }
    if (config.wait && node !== undefined) {
      if (node.member === 'active') {
        await makeChange(session, stateChange(name, MemberState.DRAINING), config, `${name} is being drained`)
        if (config.dryRun) return 0
      }
      const code = await followIf(true, session, { kind: 'leaving', nodes: [name] })
      if (code !== 0) return code
    }
    const value = { id: name, remove: true }
    await makeChange(
      session,
      { case: 'changeNode', value },
      config,
      `${name} is out of the cluster`,
      removalHints(name, config),
    )
    const { local } = session
    if (config.dryRun || local === undefined) return 0
    if (local.cluster.ports.nodes[name] !== undefined) {
      await removeLocalNode(local.paths, name, world)
      const say = config.json ? world.err : world.out
      say(`Its folder is left, to be deleted or kept: ${local.paths.node(name)}\n`)
    }
    return 0
  })
}

function removalHints(name: string, { lost }: NodeRemoveConfig): string[] {
  return lost
    ? [
        `It is marked lost, and its slots go to others as there are any: ashlar node add adds one.`,
        `Then: ashlar node remove ${name}`,
      ]
    : [
        `ashlar node drain ${name} --wait moves everything away first; ashlar node remove ${name} --wait does both.`,
        `If its disk is gone for good: ashlar node remove ${name} --lost`,
      ]
}

/** Says what would be given up, and asks; where nobody can be asked, `--yes` is needed. */
async function giveUpConfirmed(
  name: string,
  { yes, force }: NodeRemoveConfig,
  session: Session,
): Promise<boolean> {
  const { api, world } = session
  const status = await session.status()
  // Also tells whether it would be refused, before anybody is asked.
  const change = stateChange(name, MemberState.LOST)
  const plan = await changeCluster(api, change, { dryRun: true, force }, nodesOf(status))
  world.err(lossText(name, status, plan))
  if (yes) return true
  const { ask } = world
  if (ask === undefined) {
    throw new CommandError(`what only ${name} has would be given up for good`, {
      exitCode: EXIT_USAGE,
      hints: ['Say --yes if that is meant.'],
    })
  }
  const answer = await ask(`Type ${name} to give it up: `)
  if (answer.trim() === name) return true
  world.err('Nothing was changed.\n')
  return false
}

function stateChange(id: string, state: MemberState) {
  return { case: 'changeNode', value: { id, state } } as const
}
