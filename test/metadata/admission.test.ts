import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { s3Rates } from '../../core/admission/s3-rates.ts'
import {
  ADMISSION_DELAY_TARGET_MS,
  ADMISSION_LIFE_MS,
  ADMISSIONS_MAX,
  S3_READS_PER_SECOND,
  S3_WRITES_PER_SECOND,
} from '../../core/limits.ts'
import { PARTITION_SETTINGS_DEFAULT } from '../../core/partitioning/view.ts'
import { FailureCode, type Request, RequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { seededRandom } from '../../store/testing/harness.ts'
import { ManualClock } from '../contract/manual-clock.ts'
import { OPERATION_CLASSES, positionOf } from '../../metadata/admission/operations.ts'
import { Overload } from '../../metadata/admission/overload.ts'
import { PartitionMeter } from '../../metadata/admission/partition-meter.ts'

type Operation = Request['operation']

const slowDown = (error: unknown): boolean =>
  error instanceof MetadataError && error.code === FailureCode.SLOW_DOWN

const commit = (bucket: string, key: string, admission = 0n): Operation =>
  create(RequestSchema, {
    operation: { case: 'commitObject', value: { object: { bucket, key }, admission } },
  }).operation
const ask = (bucket: string, key: string): Operation =>
  create(RequestSchema, { operation: { case: 'admitWrite', value: { bucket, key } } }).operation
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
    random: seededRandom(1),
    tenantOf: (bucket) => owners.get(bucket),
    settings: { inFlightMax: 64 },
  })
  const leave = Array.from({ length: 64 }, () => overload.enter(commit('a1', 'k')))
  assert.throws(() => overload.enter(commit('a1', 'k')), slowDown)
  assert.throws(() => overload.enter(ask('a1', 'k')), slowDown)
  leave.push(overload.enter(commit('b1', 'k')))
  leave.push(
    overload.enter(create(RequestSchema, { operation: { case: 'acknowledgeOutbox', value: {} } }).operation),
  )
  leave.push(overload.enter(create(RequestSchema, { operation: { case: 'heartbeat', value: {} } }).operation))
  // Reads have a gate of their own.
  leave.push(overload.enter(get('a1', 'k')))
  assert.deepEqual([overload.state.write.inFlight, overload.state.write.refused], [66, 2])
  for (const one of leave) one.leave()
  assert.deepEqual([overload.state.write.inFlight, overload.state.read.inFlight], [0, 0])
  overload.enter(commit('a1', 'k')).leave()
})

/** A process with one partition, at S3's figures, as far as they decide what is taken. */
class Owner {
  readonly clock = new ManualClock()
  readonly overload = new Overload({
    clock: this.clock,
    random: seededRandom(7),
    tenantOf: () => 'alice',
  })
  readonly meter = new PartitionMeter(1, {
    clock: this.clock,
    settings: PARTITION_SETTINGS_DEFAULT,
    heldTo: s3Rates(1),
  })

  /** As the service does it. @returns the admission, of a request that asks for one; false: refused */
  serve(operation: Operation): bigint | boolean {
    const passage = this.overload.enter(operation)
    let failure: FailureCode | undefined
    try {
      if (!passage.counted) this.meter.take(operation)
      return passage.admit?.() ?? true
    } catch (error) {
      assert.ok(slowDown(error))
      failure = FailureCode.SLOW_DOWN
      return false
    } finally {
      passage.leave(failure)
    }
  }
}

test('under the emulation a write counts once: when it asks, or else when it commits; against a model', () => {
  const keys = ['k', 'l']
  const step = fc.oneof(
    fc.record({ do: fc.constant('ask'), key: fc.constantFrom(...keys) }),
    // One of those given so far, be it used already, or of another key; or none that was ever given.
    fc.record({ do: fc.constant('commit'), key: fc.constantFrom(...keys), which: fc.nat({ max: 12 }) }),
    fc.record({ do: fc.constant('commit'), key: fc.constantFrom(...keys) }),
    fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(1, 100, 999, 1000, ADMISSION_LIFE_MS - 1) }),
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 6 }),
      fc.array(step, { minLength: 10, maxLength: 60 }),
      (room, steps) => {
        const owner = new Owner()
        let now = 0
        const counted: number[] = []
        const given: { id: bigint; key: string; at: number; used: boolean }[] = []
        const countIfRoom = (): boolean => {
          while (counted[0] !== undefined && now - counted[0] >= 1000) counted.shift()
          const has = counted.length < S3_WRITES_PER_SECOND
          if (has) counted.push(now)
          return has
        }
        for (let index = 0; index < S3_WRITES_PER_SECOND - room; index++) {
          assert.equal(owner.serve(commit('b', 'k')), countIfRoom())
        }
        for (const one of steps) {
          if ('ms' in one) {
            now += one.ms
            owner.clock.advance(one.ms)
          } else if (one.do === 'ask') {
            const answer = owner.serve(ask('b', one.key))
            assert.equal(answer !== false, countIfRoom())
            if (typeof answer === 'bigint') given.push({ id: answer, key: one.key, at: now, used: false })
          } else {
            const admission = 'which' in one ? given[one.which] : undefined
            const forged = 'which' in one ? 99n : 0n
            const holds =
              admission?.key === one.key && !admission.used && now - admission.at < ADMISSION_LIFE_MS
            if (holds) admission.used = true
            const answer = owner.serve(commit('b', one.key, admission?.id ?? forged))
            assert.equal(answer, holds || countIfRoom())
          }
        }
        assert.equal(owner.overload.state.write.refused, 0)
      },
    ),
    { numRuns: 60 },
  )
})

test('what was asked for and refused leaves nothing behind', () => {
  const owner = new Owner()
  const answers = Array.from({ length: 4000 }, () => owner.serve(ask('b', 'k')))
  assert.equal(answers.filter((answer) => answer !== false).length, S3_WRITES_PER_SECOND)
  assert.equal(owner.meter.refused, 500)
  assert.equal(owner.overload.state.write.inFlight, S3_WRITES_PER_SECOND)
  // And what was admitted does not stand in work for long, though no commit comes of it, nor anything else.
  owner.clock.advance(ADMISSION_DELAY_TARGET_MS)
  assert.equal(owner.overload.state.write.inFlight, 0)
  owner.clock.advance(1000)
  assert.notEqual(owner.serve(ask('b', 'k')), false)
  assert.equal(owner.overload.state.write.inFlight, 1)
})

test('a commit that was told to ask another process may come back with its admission', () => {
  const owner = new Owner()
  const id = owner.serve(ask('b', 'k'))
  assert.ok(typeof id === 'bigint')
  const first = owner.overload.enter(commit('b', 'k', id))
  assert.ok(first.counted)
  assert.equal(owner.overload.enter(commit('b', 'k', id)).counted, false)
  first.leave(FailureCode.NOT_MINE)
  const again = owner.overload.enter(commit('b', 'k', id))
  assert.ok(again.counted)
  again.leave(FailureCode.PRECONDITION_FAILED)
  assert.equal(owner.overload.enter(commit('b', 'k', id)).counted, false)
})

test('admissions are bounded: of too many the oldest are forgotten', () => {
  const clock = new ManualClock()
  const overload = new Overload({ clock, random: seededRandom(3), tenantOf: () => 'alice' })
  const given = Array.from({ length: ADMISSIONS_MAX + 10 }, () => {
    const passage = overload.enter(ask('b', 'k'))
    const id = passage.admit?.() ?? 0n
    passage.leave()
    clock.advance(1)
    return id
  })
  assert.equal(new Set(given).size, given.length)
  const isKnown = (index: number): boolean => overload.enter(commit('b', 'k', given[index])).counted
  assert.deepEqual([isKnown(9), isKnown(10), isKnown(given.length - 1)], [false, true, true])
})
