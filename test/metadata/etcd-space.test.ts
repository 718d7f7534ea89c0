import assert from 'node:assert/strict'
import test from 'node:test'
import { create } from '@bufbuild/protobuf'
import { ETCD_SMALL_BATCH_BYTES, ETCD_SPACE_LOOK_MS } from '../../core/limits.ts'
import { StatusResponseSchema } from '../../proto/gen/etcdserverpb/rpc_pb.js'
import { ManualClock } from '../contract/manual-clock.ts'
import { EngineFullError } from '../../metadata/engine/engine.ts'
import { Space } from '../../metadata/engine/etcd/space.ts'

const QUOTA = 1_000_000_000

test('near the quota puts are refused, and what a process lives by only later', async () => {
  const clock = new ManualClock()
  let used = 0
  const members = {
    endpoints: ['one', 'two'],
    callAt: async (endpoint: string) => {
      const dbSize = BigInt(endpoint === 'two' ? used : 0)
      return create(StatusResponseSchema, { dbSize }) as never
    },
  }
  const space = new Space(members, clock, QUOTA)
  const takes = async (share: number, bytes: number): Promise<boolean> => {
    used = share * QUOTA
    clock.advance(ETCD_SPACE_LOOK_MS)
    await space.look()
    try {
      space.requireMore(bytes)
      return true
    } catch (error) {
      assert.ok(error instanceof EngineFullError)
      return false
    }
  }
  const small = ETCD_SMALL_BATCH_BYTES
  assert.deepEqual([await takes(0.94, small + 1), await takes(0.94, small)], [true, true])
  assert.deepEqual([await takes(0.95, small + 1), await takes(0.95, small)], [false, true])
  assert.deepEqual([await takes(0.97, small + 1), await takes(0.97, small)], [false, true])
  assert.deepEqual([await takes(0.98, small + 1), await takes(0.98, small)], [false, false])
  await space.close()
})
