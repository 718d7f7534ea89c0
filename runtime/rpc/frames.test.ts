import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHARD_CONTROL_BYTES_MAX, SHARD_FRAME_BYTES_MAX } from '../../core/limits.ts'
import { ByteReader, ByteWriter } from './bytes.ts'
import {
  controlFrame,
  dataFrameHeader,
  FRAME_HEADER_BYTES,
  FrameError,
  FrameReader,
  type FrameType,
} from './frames.ts'

type Heard = readonly [FrameType, number, string]

/** What a reader makes of a stream; the pieces of one run of data are joined. */
function listen(): { heard: Heard[]; reader: FrameReader } {
  const heard: Heard[] = []
  const reader = new FrameReader({
    control(type, id, payload) {
      heard.push([type, id, payload.toString('hex')])
    },
    data(id, piece) {
      const last = heard.at(-1)
      const before = last?.[0] === 'data' && last[1] === id ? last[2] : undefined
      if (before !== undefined) heard.pop()
      heard.push(['data', id, (before ?? '') + piece.toString('hex')])
    },
  })
  return { heard, reader }
}

function control(type: FrameType, id: number, payload: Uint8Array): Buffer {
  return controlFrame(type, id, Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), payload]))
}

const message = fc.record({
  type: fc.constantFrom<FrameType>('put', 'get', 'done', 'error', 'data'),
  id: fc.nat(2 ** 32 - 1),
  payload: fc.uint8Array({ maxLength: 300 }),
})

function bytesOf({ type, id, payload }: { type: FrameType; id: number; payload: Uint8Array }): Buffer {
  return type === 'data'
    ? Buffer.concat([dataFrameHeader(id, payload.length), payload])
    : control(type, id, payload)
}

test('frames come out as they went in, however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(message),
      fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(bytesOf))
        const whole = listen()
        whole.reader.push(stream)
        const pieces = listen()
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + (cuts[i % cuts.length] ?? 1)
          pieces.reader.push(stream.subarray(at, end))
          at = end
        }
        assert.deepEqual(pieces.heard, whole.heard)
        const controls = messages.filter(({ type }) => type !== 'data')
        assert.deepEqual(
          whole.heard.filter(([type]) => type !== 'data'),
          controls.map(({ type, id, payload }) => [type, id, Buffer.from(payload).toString('hex')]),
        )
        const data = messages.filter(({ type }) => type === 'data')
        assert.equal(
          whole.heard.map(([type, , hex]) => (type === 'data' ? hex : '')).join(''),
          data.map(({ payload }) => Buffer.from(payload).toString('hex')).join(''),
        )
      },
    ),
  )
})

test('a flipped bit in a header or a control payload is noticed', () => {
  const frame = control('get', 7, Buffer.from('some request'))
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const bad = Buffer.from(frame)
    bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const { heard, reader } = listen()
    // A longer length only makes it wait for the rest, which then does not match.
    assert.throws(() => {
      reader.push(Buffer.concat([bad, Buffer.alloc(SHARD_CONTROL_BYTES_MAX)]))
    }, FrameError)
    assert.deepEqual(heard, [])
  }
})

test('lengths are refused before anything is kept for them', () => {
  const frames: [FrameType, number][] = [
    ['put', SHARD_CONTROL_BYTES_MAX + 1],
    ['data', SHARD_FRAME_BYTES_MAX + 1],
  ]
  for (const [type, bytes] of frames) {
    const header = control(type, 1, Buffer.alloc(0))
    header.writeUInt32LE(bytes, 0)
    assert.throws(() => {
      listen().reader.push(header)
    }, FrameError)
  }
})

test('fields come back as they were written; short and long messages are invalid', () => {
  const writer = new ByteWriter()
  const id = '0123456789abcdef'.repeat(2)
  writer
    .uint(200, 1, 'a')
    .uint(2 ** 32 - 1, 4, 'b')
    .safe(Number.MAX_SAFE_INTEGER, 'c')
    .id(id, 'd')
    .text('ключ', 'e')
  const bytes = writer.uint32s(Uint32Array.of(1, 2 ** 31), 'f').finish()
  const read = (from: Buffer): unknown[] => {
    const reader = new ByteReader(from)
    const fields = [
      reader.uint(1),
      reader.uint(4),
      reader.safe(),
      reader.id(),
      reader.text(),
      [...reader.uint32s()],
    ]
    reader.end()
    return fields
  }
  assert.deepEqual(read(bytes), [200, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER, id, 'ключ', [1, 2 ** 31]])
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(() => read(bytes.subarray(0, end)), { code: 'invalid' })
  }
  assert.throws(() => read(Buffer.concat([bytes, Buffer.alloc(1)])), { code: 'invalid' })
  for (const bad of [-1, 256, 1.5, NaN]) {
    assert.throws(() => new ByteWriter().uint(bad, 1, 'a'), { code: 'invalid' })
  }
  assert.throws(() => new ByteWriter().safe(2 ** 53, 'a'), { code: 'invalid' })
  assert.throws(() => new ByteWriter().id('A'.repeat(32), 'a'), { code: 'invalid' })
})
