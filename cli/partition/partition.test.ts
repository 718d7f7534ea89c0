import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  ChangePartitionsReplySchema,
  FailureCode,
  GetPartitionsReplySchema,
} from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import { ConfigError, resolveConfig } from '../../runtime/config/layers.ts'
import { CommandError } from '../failure.ts'
import { runProgram, type Actions } from '../program.ts'
import { changePartitions, planMerge, planMove, planSplit } from './change.ts'
import { moveConfig } from './commands.ts'
import { assessPartitions } from './assess.ts'
import { renderChanged, renderPartitions } from './render.ts'

const NOW = 1_800_000_000_000

const reply = create(GetPartitionsReplySchema, {
  map: {
    version: 12n,
    rootOwner: 'meta-a',
    coordinationEngine: 'pg-1',
    partitions: [
      { id: 1n, start: {}, engine: 'pg-1', owner: 'meta-a', outboxes: [1n] },
      {
        id: 7n,
        start: { bucket: 'photos', key: '2024/\n' },
        engine: 'pg-2',
        owner: 'meta-b',
        outboxes: [7n, 3n],
      },
      {
        id: 8n,
        start: { bucket: 'photos', key: `2025/${'x'.repeat(60)}` },
        engine: 'pg-1',
        owner: '',
        outboxes: [8n],
      },
    ],
  },
  members: [
    { id: 'meta-a', address: '10.0.0.7:9101', engines: ['pg-1', 'pg-2'], startedMs: BigInt(NOW - 90_000) },
    { id: 'meta-c', address: '', engines: ['pg-1'], leaving: true, startedMs: BigInt(NOW) },
  ],
  loads: [
    {
      id: 1n,
      writes: [1234.4],
      reads: [0.26],
      garbageWaiting: 2000n,
      repairsWaiting: 1n,
      entries: 5000n,
      bytes: 2_097_152n,
    },
    { id: 7n, writes: [0], reads: [12], garbageWaiting: 0n },
  ],
  obstacles: [{ id: 7n, reason: 'single-key' }],
  processes: [
    {
      node: 'meta-a',
      writes: { inFlight: 3n, bound: 64n, refused: 5n },
      reads: { bound: 4096n },
      engines: [
        { id: 'pg-1', kind: 'postgres' },
        { id: 'pg-2', kind: 'etcd', usedBytes: 900n, quotaBytes: 1000n },
      ],
    },
    { node: 'meta-c', engines: [{ id: 'pg-2', kind: 'etcd', usedBytes: 950n, quotaBytes: 1000n }] },
  ],
})

test('the partitions and processes as a table', () => {
  assert.equal(
    renderPartitions(assessPartitions(reply, NOW)),
    `Partitions, map 12
  ID  FROM                                      TO                                        ENGINE  OWNER     WRITES/S  READS/S  ENTRIES  BYTES  OUTBOX
  1   start                                     photos/2024/\\n                            pg-1    meta-a    1,234     0.3      5,000    2 MiB  2,001
  7   photos/2024/\\n                            photos/2025/xxxxxxxxxxxxxxxxxxxxxxxxxxx…  pg-2    meta-b    0         12       -        -      0, of 7+3
  8   photos/2025/xxxxxxxxxxxxxxxxxxxxxxxxxxx…  end                                       pg-1    (nobody)  -         -        -        -      -

Metadata processes
  NODE    ADDRESS           STATE            PARTITIONS  ENGINES     UP FOR
  meta-a  10.0.0.7:9101     up, coordinator  1           pg-1, pg-2  1 min 30 s
  meta-c  (in its process)  leaving          0           pg-1        0 s

Engines
  ENGINE  KIND      PARTITIONS  SPACE
  pg-1    postgres  2           -
  pg-2    etcd      1           950 B of 0.98 KiB
Note: partition 7 is hot by a single key, which no split shares out
Warning: meta-b owns part of metadata, and is not heard of
`,
  )
})

test('as JSON, positions are whole, and what nobody has told is null', () => {
  const { partitions, members, rootOwner, version } = assessPartitions(reply, NOW)
  assert.deepEqual([rootOwner, version, members[0]?.partitions], ['meta-a', 12, 1])
  assert.deepEqual(partitions[1]?.start, { bucket: 'photos', key: '2024/\n' })
  assert.deepEqual(partitions[2]?.end, null)
  assert.deepEqual([partitions[2]?.owner, partitions[2]?.writesPerSecond], [null, null])
  assert.doesNotThrow(() => JSON.stringify(assessPartitions(reply, NOW)))
})

test('a command becomes a change', () => {
  assert.deepEqual(planSplit('3', {}), {
    change: { case: 'split', value: { id: 3n } },
    done: 'partition 3 is split',
  })
  const at = (text: string) => planSplit('3', { at: text }).change.value
  assert.deepEqual(at('photos/2024/a'), { id: 3n, at: { bucket: 'photos', key: '2024/a' } })
  assert.deepEqual(at('photos'), { id: 3n, at: { bucket: 'photos', key: '' } })
  assert.deepEqual(planMerge('3').change, { case: 'merge', value: { left: 3n } })
  assert.deepEqual(planMove('root', { to: 'meta-b' }), {
    change: { case: 'move', value: { id: 0n, owner: 'meta-b', engine: '' } },
    done: 'the root is moved to meta-b',
  })
  assert.deepEqual(planMove('2', { engine: 'pg-2' }).done, 'partition 2 is moved to engine pg-2')
  for (const id of ['0', '-1', '1.5', 'x', '']) assert.throws(() => planSplit(id, {}), CommandError)
  assert.throws(() => planMerge('root'), CommandError)
})

test('a move to nowhere is a usage error', () => {
  const options = { environment: {}, workingDirectory: '/' }
  assert.throws(() => resolveConfig(moveConfig, { ...options, flags: {} }), ConfigError)
  assert.equal(resolveConfig(moveConfig, { ...options, flags: { engine: 'pg-2' } }).engine, 'pg-2')
})

test('what was done is said with what it held up', () => {
  const map = create(ChangePartitionsReplySchema, { map: reply.map ?? {} }).map
  const text = renderChanged('partition 1 is split', map, 12)
  assert.match(
    text,
    /^Partition 1 is split; requests of the range waited 12 ms\.\n {2}1 from start on pg-1, owner meta-a\n/,
  )
  assert.match(text, /8 from photos\/2025.*owner \(nobody\)/)
})

function refusing(code: FailureCode): MetadataApi {
  return { call: () => Promise.reject(new MetadataError(code, 'partition 9 is not there')) }
}

test('a refusal is said in plain words; other errors are what they are', async () => {
  const { change } = planMerge('9')
  const says = (code: FailureCode, message: RegExp) =>
    assert.rejects(changePartitions(refusing(code), change), (error) => {
      assert.ok(error instanceof CommandError)
      assert.match(error.message, message)
      return true
    })
  await says(FailureCode.PARTITION_REFUSED, /^refused: partition 9 is not there$/)
  await says(FailureCode.STALE_EPOCH, /changed meanwhile/)
  await says(FailureCode.INVALID_REQUEST, /^refused/)
  await assert.rejects(changePartitions(refusing(FailureCode.INTERNAL), change), MetadataError)
})

test('the lines reach the action, with their arguments', async () => {
  const called: unknown[] = []
  const actions = {
    partition: (...given: unknown[]) => {
      called.push(given)
      return Promise.resolve(0)
    },
  } as Partial<Actions> as Actions
  const run = (...args: string[]) => runProgram(args, actions, { out: () => undefined })
  await run('partition', 'split', '3', '--at', 'b/k')
  await run('partition', 'move', 'root', '--to', 'meta-b', '--json')
  const seen = (called as [{ name: string }, string[], unknown][]).map(([row, args, flags]) => [
    row.name,
    args,
    flags,
  ])
  assert.deepEqual(seen, [
    ['split', ['3'], { at: 'b/k' }],
    ['move', ['root'], { to: 'meta-b', json: 'true' }],
  ])
  await assert.rejects(run('partition', 'merge'), /missing required argument/)
})
