import assert from 'node:assert/strict'
import test from 'node:test'
import { PARTITION_SETTINGS_DEFAULT } from '../partitioning/view.ts'
import { S3_SCALE_MIN } from '../limits.ts'
import { s3Rates, splitTriggers } from './s3-rates.ts'

test("S3's figures exactly, a tenth of them, and the least there is", () => {
  assert.deepEqual(s3Rates(1), { write: 3500, read: 5500 })
  assert.deepEqual(s3Rates(0.1), { write: 350, read: 550 })
  assert.deepEqual(s3Rates(0.0333), { write: 117, read: 183 })
  assert.deepEqual(s3Rates(S3_SCALE_MIN), { write: 4, read: 6 })
  assert.deepEqual(s3Rates(Number.MIN_VALUE), { write: 1, read: 1 })
})

test('triggers of a split are the defaults, scaled as the figures are', () => {
  const { writesPerSecond, readsPerSecond } = PARTITION_SETTINGS_DEFAULT
  assert.deepEqual(splitTriggers(1), { writesPerSecond, readsPerSecond })
  for (const scale of [0.1, 0.0333, S3_SCALE_MIN]) {
    const { write, read } = s3Rates(scale)
    assert.deepEqual(splitTriggers(scale), { writesPerSecond: write, readsPerSecond: read })
  }
})
