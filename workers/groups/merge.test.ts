import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareAddresses, type ShardAddress, type ShardTransport } from '../../proto/shard-transport.ts'
import { FakeShards } from '../../store/testing/fake-shards.ts'
import { SimulatedClock } from '../../store/testing/simulated-clock.ts'
import { ListFailure, mergeLists } from './merge.ts'

const NODES = ['n1', 'n2', 'n3']
const { signal } = new AbortController()
const GROUP = 7

/** Nodes that list these shards, so many a page whatever is asked for. */
function transport(held: readonly (readonly ShardAddress[])[], page: number): ShardTransport {
  const fakes = new FakeShards(new SimulatedClock(), NODES)
  return {
    node: (id) => {
      const mine = (held[NODES.indexOf(id)] ?? []).toSorted(compareAddresses)
      return Object.assign(fakes.node(id), {
        list: async ({ after }: { readonly after?: ShardAddress }) => {
          const left = mine.filter((one) => after === undefined || compareAddresses(after, one) < 0)
          const shards = left.slice(0, page).map((address) => ({ address, bytes: 1, damaged: false }))
          return { shards, truncated: left.length > page }
        },
      })
    },
  }
}

test('every shard comes once, with its blob, and blobs in order, however the pages are cut', async () => {
  const address = fc.record({
    group: fc.constant(GROUP),
    blob: fc.nat(5).map((n) => n.toString(16).padStart(32, '0')),
    stripe: fc.nat(2),
    shard: fc.nat(3),
  })
  const ofNode = fc.uniqueArray(address, { maxLength: 20, selector: (one) => JSON.stringify(one) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(ofNode, { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 1, max: 7 }),
      async (held, page) => {
        const clock = new SimulatedClock()
        const seen: string[] = []
        const blobs: string[] = []
        const shards = transport(held, page)
        for await (const one of mergeLists(
          { shards, clock },
          { nodes: NODES, group: GROUP, epoch: 1, signal },
        )) {
          blobs.push(one.blob)
          for (const { node, stripe, shard } of one.held) seen.push(`${node} ${one.blob} ${stripe} ${shard}`)
        }
        const expected = held.flatMap((all, i) =>
          all.map(({ blob, stripe, shard }) => `${NODES[i] ?? ''} ${blob} ${stripe} ${shard}`),
        )
        assert.deepEqual(seen.toSorted(), expected.toSorted())
        assert.deepEqual(blobs, [...new Set(blobs)].toSorted())
      },
    ),
  )
})

test('a node that fails in the middle is named', async () => {
  const clock = new SimulatedClock()
  const shards = new FakeShards(clock, NODES)
  shards.node('n2').fault = () => ({ kind: 'fail', code: 'unavailable' })
  const merge = mergeLists({ shards, clock }, { nodes: NODES, group: GROUP, epoch: 1, signal })
  await assert.rejects(merge.next(), (error) => error instanceof ListFailure && error.node === 'n2')
})
