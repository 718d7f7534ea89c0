/** Whatever the nodes, metadata and clients do: the contract is kept, memory comes back, bytes are right or there is an error. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FailureCode } from '../proto/gen/ashlar/v1/metadata_pb.js'
import type { ObjectRecord } from '../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError } from '../proto/metadata-api.ts'
import { StoreError } from './api.ts'
import type { CommitFault } from './testing/fake-metadata.ts'
import { DOWN, type Fault } from './testing/fake-shards.ts'
import { bytesOf, createHarness, seededRandom } from './testing/harness.ts'

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constant(DOWN),
  fc.constant<Fault>({ kind: 'hang' }),
  fc.constant<Fault>({ kind: 'corrupt' }),
  fc.constant<Fault>({ kind: 'fail-after', code: 'unavailable' }),
  fc.constantFrom<Fault[]>(
    { kind: 'fail', code: 'read-only' },
    { kind: 'fail', code: 'stale-map' },
    { kind: 'fail', code: 'invalid' },
  ),
  fc.integer({ min: 1, max: 6000 }).map((ms): Fault => ({ kind: 'slow', ms })),
)

/** A node's misbehaviour: in one call of so many, by its own dice. */
const nodeTrouble = fc.record({ fault, oneIn: fc.constantFrom(1, 1, 2, 5), seed: fc.nat(1000) })

const commitFault: fc.Arbitrary<CommitFault | undefined> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constant<CommitFault>({ kind: 'lost' }) },
  { weight: 1, arbitrary: fc.constant<CommitFault>({ kind: 'answer-lost' }) },
  {
    weight: 1,
    arbitrary: fc.constant<CommitFault>({ kind: 'refuse', code: FailureCode.PRECONDITION_FAILED }),
  },
)

const scenario = fc.record({
  shape: fc.constantFrom(
    { zones: 3, nodesPerZone: 2, large: 'rs-4-2' },
    { zones: 3, nodesPerZone: 3, large: 'rs-6-3' },
    { zones: 3, nodesPerZone: 1, large: 'rs-4-2' },
    { zones: 1, nodesPerZone: 2, large: 'rs-2-1' },
    { zones: 4, nodesPerZone: 2, large: 'replica-3' },
  ),
  seed: fc.nat(100_000),
  troubles: fc.array(fc.option(nodeTrouble, { freq: 2 }), { minLength: 9, maxLength: 9 }),
  downByLease: fc.array(fc.nat(8), { maxLength: 2 }),
  commitFault,
  writes: fc.array(
    fc.record({
      size: fc.oneof(fc.nat(70_000), fc.integer({ min: 1, max: 9_500_000 })),
      chunkBytes: fc.constantFrom(1_000, 65_536, 3_000_000),
      abortAfterMs: fc.option(fc.constantFrom(0, 1, 100, 3000), { freq: 4, nil: undefined }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})

test('random faults of nodes, commits and clients', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ shape, seed, troubles, downByLease, commitFault: fate, writes }) => {
      const harness = createHarness({ ...shape, seed }, { writeMemoryBytes: 24 * 1024 * 1024 })
      const { shards, metadata, clock, breaches, store } = harness
      const nodes = [...shards.nodes.values()]
      for (const [i, node] of nodes.entries()) {
        const trouble = troubles[i]
        if (trouble === undefined || trouble === null) continue
        const dice = seededRandom(trouble.seed)
        node.fault = () => ((dice.bytes(4)[3] ?? 0) % trouble.oneIn === 0 ? trouble.fault : undefined)
      }
      for (const i of downByLease) metadata.down.add(nodes[i % nodes.length]?.id ?? '')
      metadata.commitFault = fate
      const attempts = writes.map(async ({ size, chunkBytes, abortAfterMs }, i) => {
        const controller = new AbortController()
        if (abortAfterMs !== undefined) clock.after(abortAfterMs, () => controller.abort())
        const bytes = bytesOf(size, seed + i)
        try {
          return {
            bytes,
            record: await harness.put(`k${i}`, bytes, { chunkBytes, signal: controller.signal }),
          }
        } catch (error) {
          const expected =
            error instanceof StoreError ||
            error instanceof MetadataError ||
            (error instanceof Error && error.name === 'AbortError' && abortAfterMs !== undefined)
          assert.ok(expected, String(error))
          return { bytes, error }
        }
      })
      const outcomes = await Promise.all(attempts)
      assert.deepEqual(breaches, [])
      await assertNothingRemoved(outcomes, metadata.objects)
      // Under the faults: right bytes or an error.
      for (const { bytes, record } of outcomes) {
        if (record === undefined) continue
        try {
          assert.ok((await harness.read(record)).equals(bytes))
        } catch (error) {
          assert.ok(error instanceof StoreError && error.code === 'unreadable', String(error))
        }
      }
      await harness.assertIdle()
      // With the faults gone: right bytes.
      shards.afflict(shards.nodes.keys(), undefined)
      metadata.down.clear()
      await clock.pass(30_000)
      // What is visible is whole, also where the writer was told "unknown".
      for (const [i, { bytes }] of outcomes.entries()) {
        const visible = metadata.objects.get(`bucket/k${i}`)
        if (visible !== undefined) assert.ok((await harness.read(visible)).equals(bytes))
      }
      await harness.assertIdle()
      await store.close()

      async function assertNothingRemoved(
        all: readonly { bytes: Uint8Array; record?: ObjectRecord; error?: unknown }[],
        objects: ReadonlyMap<string, ObjectRecord>,
      ): Promise<void> {
        for (const [i, { record, error }] of all.entries()) {
          const there = objects.get(`bucket/k${i}`)
          if (record !== undefined) assert.equal(there?.version, record.version)
          // What is visible although its writer was told of an error must have been told "unknown".
          if (error !== undefined && there !== undefined) {
            assert.ok(error instanceof StoreError && error.code === 'unknown')
          }
        }
      }
    }),
    { numRuns: 150 },
  )
})
