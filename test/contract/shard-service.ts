/** What every ShardService does, however it is reached: storage node in process, on real disks, over the network. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SHARD_BLOCK_BYTES, SHARD_BYTES_MAX, SHARD_LIST_MAX } from '../../core/limits.ts'
import { ShardError, type ShardErrorCode, type ShardService } from '../../proto/shard-transport.ts'
import { crc32cBlocks, firstBadBlock } from '../../runtime/crypto/crc32c.ts'
import { addressOf, blobOf, bytesOf, putOf } from './shard-requests.ts'

export interface ShardServiceFixture {
  readonly service: ShardService
  close(): Promise<void>
}

/** Asserts that `promise` rejects with a ShardError of this code. */
export async function rejectsWith(promise: Promise<unknown>, code: ShardErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ShardError, String(error))
    assert.equal(error.code, code, error.message)
    return true
  })
}

export function shardServiceContract(name: string, open: () => Promise<ShardServiceFixture>): void {
  function check(what: string, body: (service: ShardService) => Promise<void>): void {
    test(`${name}: ${what}`, async () => {
      const fixture = await open()
      try {
        await body(fixture.service)
      } finally {
        await fixture.close()
      }
    })
  }

  check('a shard comes back as it was put, at every size that matters', async (service) => {
    const sizes = [
      0,
      1,
      511,
      4096,
      SHARD_BLOCK_BYTES - 1,
      SHARD_BLOCK_BYTES,
      SHARD_BLOCK_BYTES + 1,
      SHARD_BYTES_MAX,
    ]
    await Promise.all(sizes.map((bytes, i) => service.put(putOf(addressOf(1, blobOf(i)), bytesOf(bytes, i)))))
    for (const [i, bytes] of sizes.entries()) {
      const got = await service.get({ address: addressOf(1, blobOf(i)), epoch: 1 })
      assert.equal(got.offset, 0)
      assert.equal(got.shardBytes, bytes)
      assert.ok(Buffer.from(bytesOf(bytes, i)).equals(got.data), `${bytes} bytes`)
      assert.deepEqual(got.checksums, crc32cBlocks(bytesOf(bytes, i)))
    }
  })

  check('a read in the background gives the same, the whole and a range', async (service) => {
    const data = bytesOf(3 * SHARD_BLOCK_BYTES, 3)
    const address = addressOf(1, blobOf(1))
    await service.put(putOf(address, data))
    for (const range of [undefined, { start: SHARD_BLOCK_BYTES, end: SHARD_BLOCK_BYTES + 7 }]) {
      const request = { address, epoch: 1, ...(range === undefined ? {} : { range }) }
      assert.deepEqual(await service.get({ ...request, background: true }), await service.get(request))
    }
    await rejectsWith(
      service.get({ address: addressOf(1, blobOf(2)), epoch: 1, background: true }),
      'not-found',
    )
  })

  check('a range gives the blocks that cover it', async (service) => {
    const bytes = 5 * SHARD_BLOCK_BYTES + 100
    const data = bytesOf(bytes, 7)
    await service.put(putOf(addressOf(1, blobOf(1)), data))
    const B = SHARD_BLOCK_BYTES
    const ranges = [
      [0, 1],
      [0, bytes],
      [B - 1, B + 1],
      [B, 2 * B],
      [3 * B + 5, 3 * B + 6],
      [bytes - 1, bytes],
      [B, B],
    ]
    for (const [start = 0, end = 0] of ranges) {
      const got = await service.get({ address: addressOf(1, blobOf(1)), epoch: 1, range: { start, end } })
      assert.equal(got.offset, Math.floor(start / B) * B)
      const until = Math.max(got.offset, Math.min(bytes, Math.ceil(end / B) * B))
      assert.ok(Buffer.from(data.subarray(got.offset, until)).equals(got.data), `${start} … ${end}`)
      assert.equal(firstBadBlock(got.data, got.checksums), -1)
      assert.equal(got.shardBytes, bytes)
    }
    for (const [start = 0, end = 0] of [
      [0, bytes + 1],
      [-1, 1],
      [2, 1],
      [0.5, 1],
    ]) {
      await rejectsWith(
        service.get({ address: addressOf(1, blobOf(1)), epoch: 1, range: { start, end } }),
        'invalid',
      )
    }
  })

  check('what is not there is not found', async (service) => {
    await service.put(putOf(addressOf(1, blobOf(1), 2, 3), bytesOf(10)))
    const others = [
      addressOf(2, blobOf(1), 2, 3),
      addressOf(1, blobOf(2), 2, 3),
      addressOf(1, blobOf(1), 1, 3),
      addressOf(1, blobOf(1), 2, 2),
    ]
    for (const address of others) await rejectsWith(service.get({ address, epoch: 1 }), 'not-found')
  })

  check('data that does not match its checksums is refused and not written', async (service) => {
    const put = putOf(addressOf(1, blobOf(1)), bytesOf(SHARD_BLOCK_BYTES + 10))
    const checksums = put.checksums.slice()
    checksums[1] = (checksums[1] ?? 0) ^ 1
    await rejectsWith(service.put({ ...put, checksums }), 'corrupt')
    await rejectsWith(service.get({ address: put.address, epoch: 1 }), 'not-found')
    await rejectsWith(service.put({ ...put, checksums: checksums.subarray(1) }), 'invalid')
    await service.put(put)
  })

  check('requests that break a rule are invalid', async (service) => {
    const put = putOf(addressOf(1, blobOf(1)), bytesOf(10))
    await rejectsWith(service.put({ ...put, address: addressOf(1, 'xyz') }), 'invalid')
    await rejectsWith(service.put({ ...put, address: addressOf(1, blobOf(1), -1) }), 'invalid')
    await rejectsWith(service.put({ ...put, address: addressOf(1, blobOf(1), 0, 32) }), 'invalid')
    await rejectsWith(service.put({ ...put, address: addressOf(2 ** 32, blobOf(1)) }), 'invalid')
    await rejectsWith(service.put({ ...put, owner: { ...put.owner, key: 'k'.repeat(3000) } }), 'invalid')
    await rejectsWith(service.put(putOf(addressOf(1, blobOf(1)), bytesOf(SHARD_BYTES_MAX + 1))), 'invalid')
    await rejectsWith(service.deleteBlob(1, 'AB'.repeat(16)), 'invalid')
    await rejectsWith(service.list({ group: 1, limit: 0 }), 'invalid')
    await rejectsWith(service.list({ group: 1, limit: 1, after: addressOf(2, blobOf(1)) }), 'invalid')
  })

  check('the last put of a shard holds', async (service) => {
    const address = addressOf(1, blobOf(1))
    for (const bytes of [100, SHARD_BLOCK_BYTES * 2, 50]) {
      await service.put(putOf(address, bytesOf(bytes, bytes)))
      const got = await service.get({ address, epoch: 1 })
      assert.ok(Buffer.from(bytesOf(bytes, bytes)).equals(got.data))
    }
    const { shards, liveBytes } = await service.status()
    assert.deepEqual({ shards, liveBytes }, { shards: 1, liveBytes: 50 })
  })

  check('an older epoch than the node knows is a stale map', async (service) => {
    const put = putOf(addressOf(1, blobOf(1)), bytesOf(10))
    await service.put({ ...put, epoch: 5 })
    await rejectsWith(service.put({ ...put, epoch: 4 }), 'stale-map')
    await rejectsWith(service.get({ address: put.address, epoch: 4 }), 'stale-map')
    await service.get({ address: put.address, epoch: 6 })
    await rejectsWith(service.put({ ...put, epoch: 5 }), 'stale-map')
  })

  check('deleting a blob removes all its shards and no other', async (service) => {
    const [gone, kept] = [blobOf(1), blobOf(2)]
    for (const stripe of [0, 1, 2]) {
      await service.put(putOf(addressOf(1, gone, stripe, 1), bytesOf(10)))
      await service.put(putOf(addressOf(1, kept, stripe, 1), bytesOf(10)))
      await service.put(putOf(addressOf(2, gone, stripe, 1), bytesOf(10)))
    }
    assert.equal(await service.deleteBlob(1, gone), 3)
    assert.equal(await service.deleteBlob(1, gone), 0)
    await rejectsWith(service.get({ address: addressOf(1, gone, 1, 1), epoch: 1 }), 'not-found')
    await service.get({ address: addressOf(1, kept, 1, 1), epoch: 1 })
    await service.get({ address: addressOf(2, gone, 1, 1), epoch: 1 })
    await service.put(putOf(addressOf(1, gone, 1, 1), bytesOf(20)))
    assert.equal((await service.get({ address: addressOf(1, gone, 1, 1), epoch: 1 })).shardBytes, 20)
    assert.equal((await service.status()).shards, 7)
  })

  check('deleting shards removes those alone, and what is put again lives', async (service) => {
    const blob = blobOf(1)
    const shards = [0, 1, 2].flatMap((stripe) => [1, 4].map((shard) => ({ stripe, shard })))
    const at = ({ stripe, shard }: { stripe: number; shard: number }) => addressOf(1, blob, stripe, shard)
    for (const [i, shard] of shards.entries()) await service.put(putOf(at(shard), bytesOf(100 + i, i)))
    await service.put(putOf(addressOf(2, blob, 0, 1), bytesOf(10)))
    await service.put(putOf(addressOf(1, blobOf(2), 0, 1), bytesOf(10)))
    const gone = [
      { stripe: 0, shard: 4 },
      { stripe: 2, shard: 1 },
    ]
    const request = { group: 1, blob, shards: [...gone, ...gone, { stripe: 7, shard: 1 }], epoch: 1 }
    assert.equal(await service.deleteShards(request), 2)
    assert.equal(await service.deleteShards(request), 0)
    assert.equal(await service.deleteShards({ ...request, shards: [] }), 0)
    for (const shard of gone) await rejectsWith(service.get({ address: at(shard), epoch: 1 }), 'not-found')
    const stay = shards.filter(({ stripe, shard }) =>
      gone.every((one) => one.stripe !== stripe || one.shard !== shard),
    )
    const listed = await service.list({ group: 1, limit: 10 })
    assert.deepEqual(
      listed.shards.map(({ address }) => address),
      [...stay.map(at), addressOf(1, blobOf(2), 0, 1)],
    )
    for (const shard of stay) await service.get({ address: at(shard), epoch: 1 })
    await service.get({ address: addressOf(2, blob, 0, 1), epoch: 1 })
    await service.put(putOf(addressOf(1, blob, 0, 4), bytesOf(20)))
    assert.equal((await service.get({ address: addressOf(1, blob, 0, 4), epoch: 1 })).shardBytes, 20)
    assert.equal(await service.deleteBlob(1, blob), 5)
    assert.equal((await service.status()).shards, 2)
  })

  check('deleting shards takes along the puts that came before it', async (service) => {
    const address = addressOf(1, blobOf(1))
    const put = service.put(putOf(address, bytesOf(SHARD_BYTES_MAX)))
    const deleted = service.deleteShards({ ...address, shards: [address], epoch: 1 })
    await put
    if ((await deleted) === 1) await rejectsWith(service.get({ address, epoch: 1 }), 'not-found')
    else await service.get({ address, epoch: 1 })
  })

  check('deleting shards by an old map, or against a rule, is refused', async (service) => {
    const address = addressOf(1, blobOf(1))
    await service.put(putOf(address, bytesOf(10), 5))
    const request = { group: 1, blob: blobOf(1), shards: [{ stripe: 0, shard: 0 }], epoch: 5 }
    await rejectsWith(service.deleteShards({ ...request, epoch: 4 }), 'stale-map')
    await rejectsWith(service.deleteShards({ ...request, blob: 'AB'.repeat(16) }), 'invalid')
    await rejectsWith(service.deleteShards({ ...request, shards: [{ stripe: 0, shard: 32 }] }), 'invalid')
    const many = Array.from({ length: SHARD_LIST_MAX + 1 }, (_, stripe) => ({ stripe, shard: 0 }))
    await rejectsWith(service.deleteShards({ ...request, shards: many }), 'invalid')
    assert.equal(await service.deleteShards({ ...request, shards: many.slice(1) }), 0)
    await service.get({ address, epoch: 5 })
  })

  check('a list is in order, page by page', async (service) => {
    const addresses = [0x10, 0x02, 0xff].flatMap((blob) =>
      [1, 0].flatMap((stripe) => [2, 1].map((shard) => addressOf(3, blobOf(blob), stripe, shard))),
    )
    await Promise.all(addresses.map((address) => service.put(putOf(address, bytesOf(address.shard)))))
    await service.put(putOf(addressOf(2, blobOf(0)), bytesOf(1)))
    await service.put(putOf(addressOf(4, blobOf(0)), bytesOf(1)))
    const expected = addresses
      .toSorted((a, b) => a.blob.localeCompare(b.blob) || a.stripe - b.stripe || a.shard - b.shard)
      .map((address) => ({ address, bytes: address.shard, damaged: false }))
    const all = await service.list({ group: 3, limit: SHARD_LIST_MAX })
    assert.deepEqual(all, { shards: expected, truncated: false })
    const first = await service.list({ group: 3, limit: 5 })
    assert.deepEqual(first, { shards: expected.slice(0, 5), truncated: true })
    const after = first.shards.at(-1)?.address ?? assert.fail()
    assert.deepEqual(await service.list({ group: 3, limit: 7, after }), {
      shards: expected.slice(5),
      truncated: false,
    })
    assert.deepEqual(await service.list({ group: 9, limit: 7 }), { shards: [], truncated: false })
  })

  check('data may lie in shared memory and may change once the put has resolved', async (service) => {
    const shared = new Uint8Array(new SharedArrayBuffer(SHARD_BYTES_MAX + 8), 8)
    for (let round = 0; round < 3; round++) {
      shared.set(bytesOf(SHARD_BYTES_MAX, round))
      await service.put(putOf(addressOf(1, blobOf(round)), shared))
      shared.fill(0xee)
    }
    for (let round = 0; round < 3; round++) {
      const { data } = await service.get({ address: addressOf(1, blobOf(round)), epoch: 1 })
      assert.ok(Buffer.from(bytesOf(SHARD_BYTES_MAX, round)).equals(data))
    }
  })

  check('many requests at once keep apart', async (service) => {
    const count = 200
    const sizeOf = (i: number): number => (i * 7919) % (3 * SHARD_BLOCK_BYTES)
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const address = addressOf(i % 3, blobOf(i), i, i % 6)
        await service.put(putOf(address, bytesOf(sizeOf(i), i)))
        const got = await service.get({ address, epoch: 1 })
        assert.ok(Buffer.from(bytesOf(sizeOf(i), i)).equals(got.data))
      }),
    )
    assert.equal((await service.status()).shards, count)
  })

  check(
    'an aborted call rejects with aborted, and what it asked for is done or not, never half',
    async (service) => {
      const gone = AbortSignal.abort()
      const put = putOf(addressOf(1, blobOf(1)), bytesOf(SHARD_BYTES_MAX))
      await rejectsWith(service.put(put, gone), 'aborted')
      await rejectsWith(service.get({ address: put.address, epoch: 1 }, gone), 'aborted')
      await rejectsWith(service.get({ address: put.address, epoch: 1 }), 'not-found')
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const controller = new AbortController()
          const address = addressOf(1, blobOf(100 + i))
          const settled = service.put(putOf(address, bytesOf(SHARD_BYTES_MAX, i)), controller.signal).then(
            () => 'put',
            (error: unknown) => (error instanceof ShardError ? error.code : error),
          )
          for (let turn = 0; turn < i; turn++) await new Promise(setImmediate)
          controller.abort()
          return { address, i, outcome: await settled }
        }),
      )
      for (const { address, i, outcome } of outcomes) {
        assert.ok(outcome === 'put' || outcome === 'aborted', String(outcome))
        const got = await service.get({ address, epoch: 1 }).catch((error: unknown) => {
          assert.ok(outcome === 'aborted' && error instanceof ShardError && error.code === 'not-found')
        })
        if (got !== undefined) assert.ok(Buffer.from(bytesOf(SHARD_BYTES_MAX, i)).equals(got.data))
      }
    },
  )

  check('status says who it is and what it holds', async (service) => {
    await service.put(putOf(addressOf(1, blobOf(1)), bytesOf(1000)))
    const { freeBytes, totalBytes, usedBytes, ...status } = await service.status()
    assert.ok(freeBytes > 0 && totalBytes >= freeBytes)
    assert.ok(usedBytes > 1000)
    assert.deepEqual(status, {
      node: 'n1',
      zone: 'a',
      writable: true,
      reason: '',
      shards: 1,
      liveBytes: 1000,
      segments: 1,
      suspect: false,
      damagedShards: 0,
      scrub: { cycle: 0, cycleStartedMs: 0, bytesDone: 0, bytesTotal: 0, lastCompletedMs: 0, found: 0 },
    })
  })

  check('a shard is described by what its record says', async (service) => {
    const put = putOf(addressOf(1, blobOf(1)), bytesOf(1000))
    await service.put(put)
    const found = await service.describe([put.address, addressOf(1, blobOf(2))])
    assert.deepEqual(found, [{ owner: put.owner, bytes: 1000 }, undefined])
  })
}
