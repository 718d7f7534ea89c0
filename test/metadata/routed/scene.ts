import assert from 'node:assert/strict'
import { MetadataError } from '../../../proto/metadata-api.ts'
import { RoutedMetadata } from '../../../runtime/metadata-client/routed.ts'
import { seededRandom } from '../../../store/testing/harness.ts'
import { SimulatedClock } from '../../../store/testing/simulated-clock.ts'
import { mapOf, Members } from './members.ts'

/** Two halves of everything, and a third process that has none. */
export const HALVES = [
  ['', 'a'],
  ['m', 'b'],
] as const

export function setUp({
  ids = ['a', 'b', 'c'],
  map = mapOf(1, HALVES),
  seeds = ['a:1', 'b:1', 'c:1'],
  watched = true,
} = {}) {
  const clock = new SimulatedClock()
  const members = new Members(clock, ids, map)
  members.watched = watched
  const routed = new RoutedMetadata({
    seeds: seeds.map((address) => ({ id: '', address })),
    connect: members.connect,
    clock,
    random: seededRandom(1),
  })
  const get = (key: string) => routed.call('getObject', { bucket: 'bucket', key })
  const put = (key: string, etag = 'e') =>
    routed.call('commitObject', { object: { bucket: 'bucket', key, etag } })
  /** Runs the clock until it has settled, and tells how long that took. */
  const timed = async <T>(promise: Promise<T>) => {
    const began = clock.monotonicMs()
    const [outcome] = await clock.drive(Promise.allSettled([promise]))
    return { outcome, ms: clock.monotonicMs() - began }
  }
  return { clock, members, routed, get, put, timed }
}

export function failureOf(outcome: PromiseSettledResult<unknown>): MetadataError {
  assert.ok(outcome.status === 'rejected' && outcome.reason instanceof MetadataError, JSON.stringify(outcome))
  return outcome.reason
}
