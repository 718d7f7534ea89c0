import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, createHarness } from '../testing/harness.ts'

const NODES = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
const LARGE = bytesOf(1_000_000)

test('metadata that has just started and heard few nodes yet degrades no write', async () => {
  const harness = createHarness()
  await harness.clock.pass(2000)
  // Two nodes have renewed their leases with the new process.
  for (const node of NODES.slice(2)) harness.metadata.down.add(node)
  harness.metadata.unsure = true
  await harness.clock.pass(2000)
  const record = await harness.put('key', LARGE)
  assert.deepEqual(record.blob?.relocations, [])
  assert.equal(harness.metadata.repairs.length, 0)
  await harness.store.close()
})

test('a gateway that starts together with metadata takes nodes for up until they fail', async () => {
  const harness = createHarness()
  for (const node of NODES) harness.metadata.down.add(node)
  harness.metadata.unsure = true
  const record = await harness.put('key', LARGE)
  assert.deepEqual(record.blob?.relocations, [])
  await harness.store.close()
})

test('a node known to be down stays so while metadata is unsure, and one that is surely down is down', async () => {
  const harness = createHarness()
  harness.metadata.down.add('a1')
  await harness.clock.pass(2000)
  const up = () => harness.store.cluster().nodes.flatMap((node) => (node.up ? [node.id] : []))
  harness.metadata.unsure = true
  harness.metadata.down.add('a2')
  await harness.clock.pass(2000)
  assert.deepEqual(up(), NODES.slice(1))
  harness.metadata.unsure = false
  await harness.clock.pass(2000)
  assert.deepEqual(up(), NODES.slice(2))
  await harness.store.close()
})
