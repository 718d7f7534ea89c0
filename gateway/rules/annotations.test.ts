import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../errors/s3-error.ts'
import { requireAnnotationName, requireAnnotationPrefix, utf8Only } from './annotations.ts'

const refusedAs = (code: string) => (error: unknown) => error instanceof S3Error && error.code === code

test('names: letters and digits of any script and _.-, but nothing that begins as the names of AWS do', () => {
  for (const name of [
    'a',
    'ml.sentiment',
    '_',
    '-1',
    'größe',
    '猫',
    'n'.repeat(512),
    'é'.repeat(256),
    'a.s3',
  ]) {
    requireAnnotationName(name)
  }
  for (const name of ['', ' ', 'a b', 'a/b', 'a:b', '\0', '\u{1F600}', 'aws', 'AWS-x', 's3', 'S3.y', 'Aws']) {
    assert.throws(() => requireAnnotationName(name), refusedAs('InvalidAnnotationName'), name)
  }
  for (const name of ['n'.repeat(513), `${'é'.repeat(256)}x`]) {
    assert.throws(() => requireAnnotationName(name), refusedAs('AnnotationNameTooLong'))
  }
})

test('prefixes: what a name can begin with', () => {
  for (const prefix of ['', 'a', 's', 'aw', 'ml.']) requireAnnotationPrefix(prefix)
  for (const prefix of ['a/', ' ', 'n'.repeat(513)]) {
    assert.throws(() => requireAnnotationPrefix(prefix), refusedAs('InvalidPrefix'))
  }
})

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0
  for (const cut of [...cuts.filter((at) => at <= bytes.length).toSorted((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(from, cut)
    from = cut
  }
}

async function passed(bytes: Uint8Array, cuts: readonly number[]): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of utf8Only(pieces(bytes, cuts))) all.push(piece)
  return Buffer.concat(all)
}

const cuts = fc.array(fc.nat(40), { maxLength: 6 })

test('text passes as it came, wherever it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 30 }), cuts, async (text, at) => {
      const bytes = Buffer.from(text)
      assert.deepEqual(await passed(bytes, at), bytes)
    }),
  )
})

test('bytes pass exactly when they are UTF-8', async () => {
  // Few values, so that most sequences are nearly right.
  const byte = fc.constantFrom(
    0x00,
    0x41,
    0x80,
    0xbf,
    0xc0,
    0xc3,
    0xa9,
    0xe2,
    0x82,
    0xac,
    0xed,
    0xf0,
    0x9f,
    0xf4,
    0xff,
  )
  await fc.assert(
    fc.asyncProperty(fc.array(byte, { maxLength: 8 }), cuts, async (values, at) => {
      const bytes = Buffer.from(values)
      if (Buffer.from(bytes.toString()).equals(bytes)) assert.deepEqual(await passed(bytes, at), bytes)
      else await assert.rejects(passed(bytes, at), refusedAs('UnsupportedMediaType'))
    }),
    { numRuns: 1000 },
  )
})
