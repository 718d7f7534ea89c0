import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  DISK_HUNG_SYNC_MS,
  DISK_READ_ERROR_AGE_MS,
  DISK_SLOW_SYNC_MS,
  DISK_SYNC_AGE_MS,
  DISK_SYNCS_MIN,
  DISK_SYNCS_REMEMBERED,
} from '../../core/limits.ts'
import { DiskHealth } from './health.ts'

/** Syncs one after another from `startMs` on; resolves to when the last ends. */
function syncs(health: DiskHealth, startMs: number, took: readonly number[]): number {
  let now = startMs
  for (const ms of took) {
    const sync = health.beginSync(now)
    now += ms
    health.endSync(sync, now)
  }
  return now
}

test('a disk whose syncs are slow for a while is suspect, and no longer once they are quick', () => {
  const health = new DiskHealth()
  let now = syncs(health, 0, Array<number>(DISK_SYNCS_MIN - 1).fill(DISK_SLOW_SYNC_MS))
  assert.equal(health.reason(now), '')
  now = syncs(health, now, [DISK_SLOW_SYNC_MS])
  assert.match(health.reason(now), /the disk is slow: half of its syncs take 1.0 s or more/)
  // A little quicker is not enough.
  now = syncs(health, now, Array<number>(DISK_SYNCS_REMEMBERED).fill(DISK_SLOW_SYNC_MS / 2))
  assert.match(health.reason(now), /slow/)
  now = syncs(health, now, Array<number>(DISK_SYNCS_REMEMBERED).fill(DISK_SLOW_SYNC_MS / 2 - 1))
  assert.equal(health.reason(now), '')
})

test('a few slow syncs among quick ones make no disk suspect', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 60 }),
      fc.integer({ min: DISK_SLOW_SYNC_MS, max: DISK_HUNG_SYNC_MS - 1 }),
      (slow, ms) => {
        const health = new DiskHealth()
        let now = 0
        const taken: boolean[] = []
        for (const each of slow) {
          now = syncs(health, now, [each ? ms : 1])
          taken.push(each)
          const last = taken.slice(-DISK_SYNCS_REMEMBERED)
          if (2 * last.filter(Boolean).length < last.length) assert.equal(health.reason(now), '')
        }
      },
    ),
  )
})

test('a sync that hangs makes it suspect while it hangs, and for a while after', () => {
  const health = new DiskHealth()
  const sync = health.beginSync(0)
  assert.equal(health.reason(DISK_HUNG_SYNC_MS - 1), '')
  assert.match(health.reason(DISK_HUNG_SYNC_MS), /a sync of the disk took 5.0 s/)
  health.endSync(sync, 20_000)
  assert.match(health.reason(20_000), /20.0 s/)
  assert.match(health.reason(20_000 + DISK_SYNC_AGE_MS - 1), /20.0 s/)
  assert.equal(health.reason(20_000 + DISK_SYNC_AGE_MS), '')
})

test('read errors are told for a while', () => {
  const health = new DiskHealth()
  health.readFailed(100)
  assert.match(health.reason(100), /gave a read error/)
  health.readFailed(200)
  assert.match(health.reason(200), /2 read errors/)
  assert.equal(health.reason(200 + DISK_READ_ERROR_AGE_MS), '')
})
