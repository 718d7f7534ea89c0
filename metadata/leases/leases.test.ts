import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { WORK_LEASES_MAX } from '../../core/limits.ts'
import { KeepLeaseRequestSchema } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Clock } from '../../runtime/ports/clock.ts'
import { WorkLeases } from './leases.ts'

function setUp() {
  const time = { now: 0 }
  const unused = (): never => assert.fail('not used')
  const clock: Clock = { nowMs: unused, monotonicMs: () => time.now, sleep: unused, after: unused }
  const leases = new WorkLeases(clock)
  const keep = (name: string, holder: string, kind?: string, ttlMs = 1000) =>
    leases.keep(
      create(KeepLeaseRequestSchema, {
        name,
        holder,
        ttlMs,
        ...(kind === undefined ? {} : { report: { kind } }),
      }),
    ).held
  const kinds = () => leases.list().map(({ kind }) => kind)
  return { time, keep, kinds }
}

test('a lease ends when its time is over, to the millisecond, and can be had then', () => {
  const { time, keep } = setUp()
  assert.ok(keep('n', 'a'))
  time.now = 999
  assert.ok(!keep('n', 'b'))
  time.now = 1000
  assert.ok(keep('n', 'b'))
  assert.ok(!keep('n', 'a'))
})

test('reports are those of the leases that are held, as last said', () => {
  const { time, keep, kinds } = setUp()
  keep('2', 'a', 'repair')
  keep('1', 'b', 'garbage')
  keep('3', 'b')
  assert.deepEqual(kinds(), ['garbage', 'repair'])
  time.now = 600
  keep('1', 'b', 'backfill')
  time.now = 1000
  assert.deepEqual(kinds(), ['backfill'])
  keep('1', 'b', undefined, 0)
  assert.deepEqual(kinds(), [])
})

test('as many as there may be and one more, which has room once others have ended', () => {
  const { time, keep } = setUp()
  for (let count = 0; count < WORK_LEASES_MAX; count++) assert.ok(keep(`n${count}`, 'a'))
  assert.ok(!keep('more', 'a'))
  assert.ok(keep('n0', 'a'))
  time.now = 1000
  assert.ok(keep('more', 'a'))
})
