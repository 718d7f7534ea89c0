import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { comparePositions, holds } from '../../core/keyspace/partitions.ts'
import { PartitionMapSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { PartitionTable } from './partition-table.ts'

const text = fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\uffff', '\u{1F600}'), maxLength: 3 })
const position = fc.record({ bucket: text, key: text })

test('finds who holds a position, and what follows, whatever the cuts', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(position, { maxLength: 8, comparator: (a, b) => comparePositions(a, b) === 0 }),
      position,
      (cuts, at) => {
        const starts = [{ bucket: '', key: '' }, ...cuts.filter(({ bucket, key }) => bucket + key !== '')]
        starts.sort(comparePositions)
        const partitions = starts.map((start, index) => ({
          id: BigInt(index + 1),
          start,
          owner: `o${index}`,
        }))
        const table = new PartitionTable(create(PartitionMapSchema, { version: 3n, partitions }))
        const found = table.at(at)
        assert.deepEqual(
          table.partitions.filter((partition) => holds(partition, at)),
          [found],
        )
        assert.equal(found.owner, `o${found.id - 1}`)
        assert.equal(table.after(at), table.partitions[found.id])
      },
    ),
  )
})

test('an outbox is found with the partition that took it over', () => {
  const partitions = [
    { id: 4n, start: {}, owner: 'a', outboxes: [4n, 1n] },
    { id: 2n, start: { bucket: 'm' }, owner: 'b', outboxes: [2n] },
  ]
  const table = new PartitionTable(create(PartitionMapSchema, { rootOwner: 'c', partitions }))
  assert.deepEqual(
    [1, 2, 3, 4].map((outbox) => table.byOutbox(outbox)?.owner),
    ['a', 'b', undefined, 'a'],
  )
  assert.deepEqual(table.outboxes, [1, 2, 4])
  assert.deepEqual(table.owners, new Set(['a', 'b', 'c']))
})

test('a map with a gap, or out of order, is not taken', () => {
  const mapOf = (starts: readonly string[]) => () =>
    new PartitionTable(
      create(PartitionMapSchema, { partitions: starts.map((bucket) => ({ start: { bucket } })) }),
    )
  assert.throws(mapOf([]), RangeError)
  assert.throws(mapOf(['a']), RangeError)
  assert.throws(mapOf(['', 'b', 'a']), RangeError)
  assert.throws(mapOf(['', 'a', 'a']), RangeError)
})
