/** Metadata on an etcd ensemble that fills up: what adds is refused before etcd raises an alarm. */

import assert from 'node:assert/strict'
import test from 'node:test'
import { inspect } from 'node:util'
import { ETCD_SPACE_LOOK_MS } from '../../core/limits.ts'
import { startMetadata } from '../../metadata/main.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../../proto/metadata-api.ts'
import { createBucket, failsWith, get, put, remove } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { etcdMissing, EtcdServers } from '../servers/etcd.ts'

const MIB = 1024 * 1024
const OBJECTS = 4
const ROUNDS_MAX = 200

test(
  'an ensemble that is nearly full takes no more objects, and deletes go on',
  { skip: await etcdMissing() },
  async (t) => {
    const servers = await EtcdServers.start({ members: 1, args: [`--quota-backend-bytes=${16 * MIB}`] })
    t.after(() => servers.stop())
    // Every look at the space counts as old: nobody else has the engine, so that no lease ends by it.
    let later = 0
    const clock = { ...world.clock, monotonicMs: () => world.clock.monotonicMs() + later }
    const engines = [servers.url('/room?quota=6MiB')]
    const { api, close } = await startMetadata(metadataConfig({ engines, shared: false }), {
      ...world,
      clock,
    })
    t.after(close)
    await createBucket(api)
    await put(api, 'first')
    const headers = { user: { padding: 'x'.repeat(16_000) } }
    const fill = async (round: number): Promise<unknown> => {
      const puts = Array.from({ length: OBJECTS }, (_object, index) =>
        put(api, `${round}/${index}`, { headers }),
      )
      const results = await Promise.allSettled(puts)
      later += ETCD_SPACE_LOOK_MS
      return results.find((result) => result.status === 'rejected')?.reason
    }
    let refusal: unknown
    for (let round = 0; refusal === undefined; round++) {
      assert.ok(round < ROUNDS_MAX, 'it is never full')
      refusal = await fill(round)
    }
    assert.ok(refusal instanceof MetadataError && refusal.code === FailureCode.READ_ONLY, inspect(refusal))
    await failsWith(put(api, 'more'), FailureCode.READ_ONLY)
    assert.equal((await get(api, 'first'))?.key, 'first')
    assert.equal((await remove(api, 'first')).existed, true)
    assert.equal(await servers.ctl(['alarm', 'list']), '')
    const { processes } = await api.call('getPartitions', {})
    assert.deepEqual(
      processes.flatMap((one) => one.engines.map(({ kind }) => kind)),
      ['etcd'],
    )
  },
)
