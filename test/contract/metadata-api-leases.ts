import assert from 'node:assert/strict'
import { WORK_LEASE_MS_MAX } from '../../core/limits.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { Case } from './metadata-api.ts'
import { failsWith } from './metadata-requests.ts'

export const leaseCases: readonly Case[] = [
  [
    'a lease is one holder’s until it is given back',
    async (api) => {
      const keep = async (holder: string, ttlMs: number, name = 'garbage') => {
        const { held, holder: whose } = await api.call('keepLease', { name, holder, ttlMs })
        return [held, whose]
      }
      assert.deepEqual(await keep('a', 60_000), [true, 'a'])
      assert.deepEqual(await keep('b', 60_000), [false, 'a'])
      assert.deepEqual(await keep('a', 60_000), [true, 'a'])
      assert.deepEqual(await keep('b', 60_000, 'repair'), [true, 'b'])
      assert.deepEqual(await keep('b', 0), [false, 'a'], 'what is another’s is not given back')
      assert.deepEqual(await keep('a', 0), [false, ''])
      assert.deepEqual(await keep('b', 60_000), [true, 'b'])
    },
  ],
  [
    'a lease that makes no sense is refused',
    async (api) => {
      const lease = { name: 'n', holder: 'h', ttlMs: 1000 }
      for (const more of [
        { name: '' },
        { holder: '' },
        { ttlMs: WORK_LEASE_MS_MAX + 1 },
        { name: 'x'.repeat(257) },
        { report: { kind: 'repair', now: 'x'.repeat(257) } },
      ]) {
        await failsWith(api.call('keepLease', { ...lease, ...more }), FailureCode.INVALID_REQUEST)
      }
      const report = { kind: 'repair', itemsWaiting: 3n, now: 'x'.repeat(256) }
      assert.equal((await api.call('keepLease', { ...lease, report })).held, true)
    },
  ],
]
