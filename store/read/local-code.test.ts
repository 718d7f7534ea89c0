import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCode } from '../../core/erasure/code.ts'
import { isReadable, localGroup } from '../../core/erasure/repair.ts'
import type { ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { DOWN } from '../testing/fake-shards.ts'
import { bytesOf, createHarness, type Harness } from '../testing/harness.ts'

const MIB = 1024 * 1024
const CODE = parseCode('lrc-6-3-3')
const SHAPE = { nodesPerZone: 4, large: CODE.name }
const LARGE = bytesOf(13 * MIB + 77, 4)
/** One stripe of short shards. */
const SHORT = bytesOf(300_077, 4)
const NODES = ['a', 'b', 'c'].flatMap((zone) => [1, 2, 3, 4].map((n) => `${zone}${n}`))

/** The node of each shard. */
function nodesOf(harness: Harness, record: ObjectRecord): string[] {
  const groups = harness.metadata.map.pools.flatMap((pool) => pool.groups)
  const slots = groups.find(({ id }) => id === record.blob?.group)?.slots ?? []
  return slots.map(({ node }) => node)
}

function bytesRead(harness: Harness, of: (node: string) => boolean = () => true): number {
  return [...harness.shards.nodes.values()].reduce((sum, node) => sum + (of(node.id) ? node.bytesRead : 0), 0)
}

async function ends(harness: Harness): Promise<void> {
  assert.deepEqual(harness.breaches, [])
  await harness.assertIdle()
  await harness.store.close()
}

test('a lost data shard that is read alone costs three reads, all in its zone; lost parity costs none', async () => {
  const harness = createHarness(SHAPE)
  const record = await harness.put('large', LARGE)
  const nodes = nodesOf(harness, record)
  for (const lost of [0, 4, 6, 8, 9, 11]) {
    const node = nodes[lost] ?? assert.fail()
    harness.shards.afflict([node], DOWN)
    harness.metadata.down.add(node)
    await harness.clock.pass(20_000)
    const inZone = (id: string) => id.startsWith(node.charAt(0))
    for (const data of [lost, 1]) {
      if (data >= CODE.k) continue
      const [all, near] = [bytesRead(harness), bytesRead(harness, inZone)]
      const from = data * MIB
      assert.ok((await harness.read(record, from, from + MIB)).equals(LARGE.subarray(from, from + MIB)))
      if (data === lost) {
        assert.equal(bytesRead(harness) - all, 3 * MIB, `shard ${lost}`)
        assert.equal(bytesRead(harness, inZone) - near, 3 * MIB, 'the zone restores it alone')
      } else assert.equal(bytesRead(harness) - all, MIB)
    }
    // A whole stripe reads the other data anyway, and one shard more.
    const before = bytesRead(harness)
    assert.ok((await harness.read(record, 0, 6 * MIB)).equals(LARGE.subarray(0, 6 * MIB)))
    assert.equal(bytesRead(harness) - before, 6 * MIB)
    harness.shards.afflict([node], undefined)
    harness.metadata.down.delete(node)
    await harness.clock.pass(20_000)
  }
  await ends(harness)
})

test('a shard of the group that fails too sends the read to the other zones', async () => {
  const harness = createHarness(SHAPE)
  const record = await harness.put('large', LARGE)
  const nodes = nodesOf(harness, record)
  const [lost, sick] = [nodes[0] ?? '', nodes[3] ?? '']
  harness.shards.afflict([lost], DOWN)
  for (const ailment of [
    DOWN,
    { kind: 'corrupt' },
    { kind: 'hang' },
    { kind: 'fail', code: 'not-found' },
  ] as const) {
    harness.shards.afflict([sick], ailment)
    assert.ok((await harness.read(record, 5, MIB - 5)).equals(LARGE.subarray(5, MIB - 5)))
    harness.shards.afflict([sick], undefined)
    await harness.clock.pass(20_000)
  }
  await ends(harness)
})

test('any zone may be lost and one node more, for reads; and what is written then is as safe', async () => {
  const harness = createHarness(SHAPE)
  const record = await harness.put('large', SHORT)
  for (const zone of ['a', 'b', 'c']) {
    const lost = NODES.filter((node) => node.startsWith(zone))
    const others = NODES.filter((node) => !node.startsWith(zone))
    harness.shards.afflict(lost, DOWN)
    for (const node of lost) harness.metadata.down.add(node)
    await harness.clock.pass(20_000)
    const written = await harness.put(`without-${zone}`, SHORT)
    assert.ok((written.blob?.relocations.length ?? 0) > 0)
    for (const more of others) {
      harness.shards.afflict([more], DOWN)
      assert.ok((await harness.read(record)).equals(SHORT), `${zone} and ${more}`)
      assert.ok((await harness.read(written)).equals(SHORT), `written without ${zone}, read without ${more}`)
      harness.shards.afflict([more], undefined)
      await harness.clock.pass(20_000)
    }
    for (const node of lost) harness.metadata.down.delete(node)
    harness.shards.afflict(lost, undefined)
    await harness.clock.pass(20_000)
  }
  await ends(harness)
})

test('what is lost decides: read when the code can, an error that says so when it cannot', async () => {
  const harness = createHarness(SHAPE)
  const record = await harness.put('large', SHORT)
  const nodes = nodesOf(harness, record)
  assert.equal(new Set(nodes).size, CODE.total)
  // Six lost of twelve: a whole group with two others of two groups, or of one; all data; all parity.
  const zone = localGroup(CODE, 0) ?? []
  const samples = fc.sample(fc.uniqueArray(fc.nat(11), { minLength: 4, maxLength: 7 }), {
    numRuns: 40,
    seed: 5,
  })
  const losses = [[...zone, 1, 2], [...zone, 1, 4], [0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11], ...samples]
  const outcomes = new Set<boolean>()
  for (const lost of losses) {
    const down = lost.map((shard) => nodes[shard] ?? '')
    harness.shards.afflict(down, DOWN)
    const readable = isReadable(CODE, lost)
    outcomes.add(readable)
    if (readable) assert.ok((await harness.read(record)).equals(SHORT), `without ${lost.join()}`)
    else await assert.rejects(harness.read(record), { code: 'unreadable' }, `without ${lost.join()}`)
    harness.shards.afflict(down, undefined)
    await harness.clock.pass(20_000)
  }
  assert.equal(outcomes.size, 2)
  await ends(harness)
})

test('with six nodes, two shards each: any one node may be lost, and a zone', async () => {
  const harness = createHarness({ large: CODE.name })
  const record = await harness.put('large', LARGE)
  for (const lost of [['a1'], ['b2'], ['c1'], ['a1', 'a2'], ['c1', 'c2']]) {
    harness.shards.afflict(lost, DOWN)
    assert.ok((await harness.read(record)).equals(LARGE), lost.join())
    harness.shards.afflict(lost, undefined)
    await harness.clock.pass(20_000)
  }
  await ends(harness)
})

test('writes that lose too much are refused, and one that loses a node or two is not', async () => {
  const harness = createHarness(SHAPE)
  harness.shards.afflict(['a1', 'b3'], DOWN)
  const record = await harness.put('two-down', LARGE)
  assert.ok((await harness.read(record)).equals(LARGE))
  harness.shards.afflict(NODES.slice(0, 11), DOWN)
  await harness.clock.pass(20_000)
  await assert.rejects(harness.put('eleven-down', LARGE), { code: 'unwritable' })
  await ends(harness)
})
