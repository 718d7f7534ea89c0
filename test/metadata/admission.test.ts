import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import { s3Rates } from '../../core/admission/s3-rates.ts'
import { S3_READS_PER_SECOND, S3_WRITES_PER_SECOND } from '../../core/limits.ts'
import { PARTITION_SETTINGS_DEFAULT } from '../../core/partitioning/view.ts'
import { FailureCode, type Request, RequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { OPERATION_CLASSES, positionOf } from '../../metadata/admission/operations.ts'
import { Overload } from '../../metadata/admission/overload.ts'
import { PartitionMeter } from '../../metadata/admission/partition-meter.ts'

type Operation = Request['operation']

const slowDown = (error: unknown): boolean =>
  error instanceof MetadataError && error.code === FailureCode.SLOW_DOWN

const commit = (bucket: string, key: string): Operation =>
  create(RequestSchema, { operation: { case: 'commitObject', value: { object: { bucket, key } } } }).operation
const get = (bucket: string, key: string): Operation =>
  create(RequestSchema, { operation: { case: 'getObject', value: { bucket, key } } }).operation
const list = (prefix: string, after: string): Operation =>
  create(RequestSchema, { operation: { case: 'listObjects', value: { bucket: 'b', prefix, after } } })
    .operation

/** How many of these are let through. */
function admitted(attempt: () => void, count: number): number {
  let passed = 0
  for (let index = 0; index < count; index++) {
    try {
      attempt()
      passed++
    } catch (error) {
      assert.ok(slowDown(error))
    }
  }
  return passed
}

test('every operation of a client, and each of its steps, says where it is done', () => {
  for (const [name, { sender }] of Object.entries(OPERATION_CLASSES)) {
    const value = {
      bucket: 'b',
      key: 'k',
      prefix: 'k',
      after: '',
      keyMarker: '',
      object: { bucket: 'b', key: 'k' },
    }
    const operation = { case: name, value: { ...value, upload: value.object } }
    // @ts-expect-error each operation reads only what it has.
    const position = positionOf(operation)
    const wanted = sender === 'client' || sender === 'step' ? ['b', 'k'] : [undefined, undefined]
    assert.deepEqual([position?.bucket, position?.key], wanted, name)
  }
})

test('a listing is counted where it begins', () => {
  assert.deepEqual(positionOf(list('p/', '')), { bucket: 'b', key: 'p/' })
  assert.deepEqual(positionOf(list('p/', 'p/x')), { bucket: 'b', key: 'p/x' })
  assert.deepEqual(positionOf(list('p/', 'a')), { bucket: 'b', key: 'p/' })
})

test("S3's figures are kept to the request, writes and reads apart, by each partition for itself", () => {
  const clock = new ManualClock()
  const options = { clock, settings: PARTITION_SETTINGS_DEFAULT, heldTo: s3Rates(1) }
  const [left, right] = [1, 2].map((id) => new PartitionMeter(id, options))
  assert.ok(left !== undefined && right !== undefined)
  for (let second = 0; second < 3; second++) {
    assert.equal(
      admitted(() => left.take(commit('b', 'k')), 5000),
      S3_WRITES_PER_SECOND,
    )
    assert.equal(
      admitted(() => left.take(get('b', 'k')), 8000),
      S3_READS_PER_SECOND,
    )
    clock.advance(999)
    assert.equal(
      admitted(() => left.take(commit('b', 'k')), 10),
      0,
    )
    clock.advance(1)
  }
  assert.equal(
    admitted(() => right.take(commit('b', 'z')), 5000),
    S3_WRITES_PER_SECOND,
  )
  assert.equal(left.refused, 3 * (1500 + 2500 + 10))
  // What was refused is load, too: else nothing would ever be hot.
  assert.deepEqual(left.rates().writes.at(-1), 5010)
})

test('held to a tenth, a tenth is let through', () => {
  const clock = new ManualClock()
  const meter = new PartitionMeter(1, { clock, settings: PARTITION_SETTINGS_DEFAULT, heldTo: s3Rates(0.1) })
  assert.deepEqual(
    [commit, get].map((operation) => admitted(() => meter.take(operation('b', 'k')), 1000)),
    [350, 550],
  )
  assert.equal(meter.refused, 650 + 450)
})

test('without the emulation a partition measures, refuses nothing, and knows where to be cut', () => {
  const clock = new ManualClock()
  const meter = new PartitionMeter(1, { clock, settings: PARTITION_SETTINGS_DEFAULT, heldTo: undefined })
  for (let second = 0; second < 12; second++) {
    for (let index = 0; index < 8000; index++) meter.take(commit('b', index % 2 === 0 ? 'left/k' : 'right/k'))
    clock.advance(1000)
  }
  assert.equal(meter.refused, 0)
  assert.equal(meter.rates().writes.at(-1), 8000)
  const choice = meter.splitKey({ start: { bucket: '', key: '' }, end: undefined })
  assert.deepEqual(choice.at, { bucket: 'b', key: 'right/' })
})

test('a process refuses the tenant that has too much in work, and neither others, nor workers, nor the cluster itself', () => {
  const clock = new ManualClock()
  const owners = new Map([
    ['a1', 'alice'],
    ['a2', 'alice'],
    ['b1', 'bob'],
  ])
  const overload = new Overload({
    clock,
    tenantOf: (bucket) => owners.get(bucket),
    settings: { inFlightMax: 64 },
  })
  const leave = Array.from({ length: 64 }, () => overload.enter(commit('a1', 'k')))
  assert.throws(() => overload.enter(commit('a1', 'k')), slowDown)
  leave.push(overload.enter(commit('b1', 'k')))
  leave.push(
    overload.enter(create(RequestSchema, { operation: { case: 'acknowledgeOutbox', value: {} } }).operation),
  )
  leave.push(overload.enter(create(RequestSchema, { operation: { case: 'heartbeat', value: {} } }).operation))
  // Reads have a gate of their own.
  leave.push(overload.enter(get('a1', 'k')))
  assert.deepEqual([overload.state.write.inFlight, overload.state.write.refused], [66, 1])
  for (const one of leave) one()
  assert.deepEqual([overload.state.write.inFlight, overload.state.read.inFlight], [0, 0])
  overload.enter(commit('a1', 'k'))()
})
