/** What `verify` says of records that cannot be, or do not fit each other. */

import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { create } from '@bufbuild/protobuf'
import { compareBytes } from '../../core/keyspace/bytes.ts'
import { objectKey, partitionMapKey } from '../../core/keyspace/keys.ts'
import { verifyBackup } from '../../metadata/backup/verify.ts'
import type { EngineEntry } from '../../metadata/engine/engine.ts'
import { startOn } from '../../metadata/main.ts'
import { encodeRecord, partitionMapKind } from '../../metadata/records.ts'
import { PartitionMapSchema } from '../../proto/gen/ashlar/v1/partitions_pb.js'
import { BucketVersioning } from '../../proto/gen/ashlar/v1/records_pb.js'
import { BUCKET, createBucket, put, remove, setVersioning } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'
import { assertVerified, backUp, fileOf, KeptEngine } from './backups.ts'
import { entries, has, plants } from './record-plants.ts'

async function faultsOf(given: readonly EngineEntry[]): Promise<readonly string[]> {
  const ordered = given.toSorted((left, right) => compareBytes(left.key, right.key))
  return (await verifyBackup(await fileOf(ordered))).faults
}

test('what a service has written has no faults', async () => {
  assert.deepEqual(await faultsOf(entries), [])
  await assertVerified(await fileOf(entries))
})

test('each rule names what breaks it', async () => {
  for (const [, message, changed] of plants) {
    const faults = await faultsOf(changed)
    assert.ok(
      faults.some((fault) => message.test(fault)),
      `${message}: ${faults.join('; ') || 'nothing'}`,
    )
  }
})

test('a partition map with gaps, overlaps or strange outboxes is named', async () => {
  const map = entries.find(has(partitionMapKey))
  assert.ok(map !== undefined)
  const rest = entries.filter((entry) => entry !== map)
  const first = { id: 1n, start: { bucket: '', key: '' }, engine: 'e', outboxes: [1n] }
  const other = { id: 2n, start: { bucket: 'm', key: '' }, engine: 'e', outboxes: [2n] }
  const wrong = [
    [/it has no partition/, []],
    [/nobody has what lies before m\//, [other]],
    [
      /partition 1 ends before it begins/,
      [
        { ...first, start: undefined },
        { ...other, start: undefined },
      ],
    ],
    [/partition 9 has a number that may be given again/, [{ ...first, id: 9n, outboxes: [9n] }]],
    [/partition 1 does not have its own outbox/, [{ ...first, outboxes: [2n] }]],
    [/two partitions have the outbox 2/, [{ ...first, outboxes: [1n, 2n] }, other]],
  ] as const
  for (const [message, partitions] of wrong) {
    const record = create(PartitionMapSchema, {
      partitions: partitions.map(({ start, outboxes, ...one }) => ({
        ...one,
        outboxes: [...outboxes],
        ...(start === undefined ? {} : { start }),
      })),
      nextId: 3n,
      coordinationEngine: 'e',
    })
    const value = encodeRecord(partitionMapKind, record)
    const faults = await faultsOf([...rest, { key: partitionMapKey, value }])
    assert.ok(
      faults.some((fault) => message.test(fault)),
      `${message}: ${faults.join('; ') || 'nothing'}`,
    )
  }
  const torn = await faultsOf([...rest, { key: partitionMapKey, value: Uint8Array.of(0xff) }])
  assert.match(torn[0] ?? '', /^partition maps, key 06/)
})

test('whichever single record of objects is lost, it is missed, unless it was all of its key', async () => {
  const bound = entries.filter(
    (entry) =>
      [0x10, 0x11, 0x21, 0x27, 0x28].includes(entry.key[0] ?? 0) || has(objectKey(BUCKET, 'k'))(entry),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...bound), async (lost) => {
      assert.notDeepEqual(await faultsOf(entries.filter((entry) => entry !== lost)), [])
    }),
    { numRuns: 20 },
  )
})

test('a backup of a service in use is whole', async () => {
  const { api, close } = await startOn(new KeptEngine(), metadataConfig(), world)
  await createBucket(api)
  await setVersioning(api, BucketVersioning.ENABLED)
  const writing = new AbortController()
  const writer = (async () => {
    for (let count = 0; !writing.signal.aborted; count++) {
      const key = `k${count % 7}`
      if (count % 3 === 2) await remove(api, key)
      else await put(api, key)
    }
  })()
  for (let count = 0; count < 5; count++) await assertVerified(await backUp(api))
  writing.abort()
  await writer
  await close()
})
