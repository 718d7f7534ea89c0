import assert from 'node:assert/strict'
import test from 'node:test'
import { NODE_HEARTBEAT_MS, NODE_LEASE_MS } from '../../core/limits.ts'
import { startMetadata, type RunningMetadata } from '../../metadata/main.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

const ZONES: Readonly<Record<string, string>> = { a1: 'a', a2: 'a', b1: 'b', b2: 'b', c1: 'c', c2: 'c' }

async function beat({ api }: RunningMetadata, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) await api.call('heartbeat', { node: { node }, zone: ZONES[node] ?? '' })
}

/** `up`, `down` or `unsure`, by node. */
async function states({ api }: RunningMetadata): Promise<Record<string, string>> {
  const { nodes } = await api.call('getCluster', {})
  return Object.fromEntries(
    nodes.map(({ node, up, unsure }) => [node, up ? 'up' : unsure ? 'unsure' : 'down']),
  )
}

function all(state: string): Record<string, string> {
  return Object.fromEntries(Object.keys(ZONES).map((node) => [node, state]))
}

/** Time that passes while everybody who is alive is heard. */
async function pass(running: RunningMetadata, clock: ManualClock, ms: number, alive: readonly string[]) {
  for (let passed = 0; passed < ms; passed += NODE_HEARTBEAT_MS) {
    clock.advance(NODE_HEARTBEAT_MS)
    await beat(running, alive)
  }
}

test('a service that has just started calls no node down before it has listened for a lease', async () => {
  const clock = new ManualClock()
  const running = await startMetadata(metadataConfig(), { ...world, clock })
  const others = Object.keys(ZONES).slice(1)
  assert.deepEqual(await states(running), all('unsure'))
  await pass(running, clock, NODE_LEASE_MS - NODE_HEARTBEAT_MS, others)
  assert.deepEqual(await states(running), { ...all('up'), a1: 'unsure' })
  await pass(running, clock, NODE_HEARTBEAT_MS, others)
  assert.deepEqual(await states(running), { ...all('up'), a1: 'down' })
  await running.close()
})

test('a service that stood still for longer than the leases begins anew', async () => {
  const clock = new ManualClock()
  const running = await startMetadata(metadataConfig(), { ...world, clock })
  const others = Object.keys(ZONES).slice(1)
  await pass(running, clock, 2 * NODE_LEASE_MS, others)
  clock.advance(NODE_LEASE_MS + 1000)
  assert.deepEqual(await states(running), all('unsure'))
  await beat(running, ['b1'])
  assert.deepEqual(await states(running), { ...all('unsure'), b1: 'up' })
  await pass(running, clock, NODE_LEASE_MS, ['b1'])
  assert.deepEqual(await states(running), { ...all('down'), b1: 'up' })
  await running.close()
})
