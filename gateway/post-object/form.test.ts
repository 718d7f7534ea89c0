/** The form's parser: what it reads, how the pieces are cut makes no difference, and what it refuses. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { POST_FORM_BYTES_MAX } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'
import { formBoundary } from './form-head.ts'
import { FILE_NAME, readForm } from './form.ts'

const BOUNDARY = 'abc'

interface Part {
  readonly header: string
  readonly value: Buffer
}

function part(name: string, value: string | Buffer, more = ''): Part {
  const header = `Content-Disposition: form-data; name="${name}"${more}`
  return { header, value: typeof value === 'string' ? Buffer.from(value) : value }
}

function encode(parts: readonly Part[], closing = `--${BOUNDARY}--\r\n`): Buffer {
  const pieces = parts.flatMap(({ header, value }) => [
    Buffer.from(`--${BOUNDARY}\r\n${header}\r\n\r\n`, 'latin1'),
    value,
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...pieces, Buffer.from(closing)])
}

/** Each piece in the same memory, as a connection may deliver them. */
async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  const memory = Buffer.alloc(bytes.length)
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? bytes.length)
    const piece = bytes.subarray(at, at + size)
    piece.copy(memory)
    yield memory.subarray(0, piece.length)
    memory.fill(0xee)
    at += piece.length
  }
}

async function read(bytes: Buffer, sizes: readonly number[] = [bytes.length]) {
  const form = await readForm(cut(bytes, sizes), BOUNDARY, bytes.length)
  const pieces: Buffer[] = []
  for await (const piece of form.file) pieces.push(Buffer.from(piece))
  return { ...form, file: Buffer.concat(pieces) }
}

async function refusal(promise: Promise<unknown>): Promise<S3Error> {
  try {
    await promise
  } catch (error) {
    assert.ok(error instanceof S3Error, String(error))
    return error
  }
  return assert.fail('the form was accepted')
}

describe('a form', () => {
  it('gives its fields by lower-case name and its file', async () => {
    const parts = [
      part('Key', `a/${FILE_NAME}`),
      part('empty', ''),
      part('x-amz-meta-a', 'one'),
      part('X-Amz-Meta-A', 'two'),
      part('acl', 'private'),
      part('acl', 'public-read'),
      part('policy', FILE_NAME),
      part('file', 'hello', '; filename="C:\\dir\\na\\"me.txt"\r\nContent-Type: text/plain'),
    ]
    const { fields, file, sizeMax, sizeLikely } = await read(encode(parts))
    assert.deepEqual(Object.fromEntries(fields), {
      key: 'a/na"me.txt',
      empty: '',
      'x-amz-meta-a': 'one,two',
      acl: 'public-read',
      policy: FILE_NAME,
    })
    assert.equal(file.toString(), 'hello')
    assert.equal(sizeLikely, 5)
    assert.equal(sizeMax, 7)
  })

  it('knows its file by the field, not by a file name, and takes a name that is not quoted', async () => {
    const fields = [
      part('key', 'k', '; filename="key"'),
      { header: 'content-disposition: form-data;name=a', value: Buffer.from('b') },
    ]
    const form = await read(encode([...fields, part('file', 'x')]))
    assert.deepEqual(Object.fromEntries(form.fields), { key: 'k', a: 'b' })
  })

  it('takes file names in the forms that clients send', async () => {
    for (const [given, expected] of [
      ['; filename="a.txt"', 'a.txt'],
      ['; filename="/tmp/dir/a.txt"', 'a.txt'],
      [`; filename*=utf-8''na%C3%AFve`, Buffer.from('naïve').toString('latin1')],
      // Nothing to fill in.
      ['', FILE_NAME],
    ] as const) {
      const { fields } = await read(encode([part('key', FILE_NAME), part('file', 'x', given)]))
      assert.equal(fields.get('key'), expected)
    }
  })

  it('ignores what follows the file, and needs no line end behind its last boundary', async () => {
    const file = part('file', 'data')
    for (const body of [
      encode([file, part('submit', 'Upload')]),
      encode([file], `--${BOUNDARY}--`),
      encode([file], `--${BOUNDARY}--\r\nepilogue\r\n--${BOUNDARY}`),
      Buffer.concat([Buffer.from('\r\n'), encode([file])]),
    ]) {
      const form = await read(body)
      assert.equal(form.file.toString(), 'data')
      assert.ok(form.sizeMax >= 4)
    }
  })

  it('is the same however its bytes are cut', async () => {
    const noise = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '\r',
            '\n',
            '\r\n',
            '\r\n-',
            '\r\n--',
            '\r\n--a',
            '\r\n--ab',
            '--abc',
            '-',
            'abc',
            '\r\n\r\n',
          ),
          fc.string({ maxLength: 5 }),
        ),
        { maxLength: 12 },
      )
      .map((words) => words.join(''))
      .filter((text) => !`${text}\r`.includes(`\r\n--${BOUNDARY}`))
    await fc.assert(
      fc.asyncProperty(
        noise,
        noise,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }),
        async (field, file, sizes) => {
          const body = encode([part('one', field), part('file', file, '; filename="f"'), part('after', 'x')])
          const form = await read(body, sizes)
          assert.equal(form.fields.get('one'), Buffer.from(field).toString('latin1'))
          assert.equal(form.file.toString(), file)
          assert.ok(form.file.length <= form.sizeMax)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('never fails but by S3 errors, whatever the bytes', async () => {
    const bytes = fc
      .array(
        fc.constantFrom(
          '--abc',
          '\r\n',
          '\r\n--abc',
          '--',
          'Content-Disposition: form-data; name="file"',
          'Content-Disposition: form-data; name=',
          '"key"',
          ';',
          '\0',
          '\xff',
        ),
        { maxLength: 14 },
      )
      .map((words) => Buffer.from(words.join(''), 'latin1'))
    await fc.assert(
      fc.asyncProperty(bytes, fc.integer({ min: 1, max: 9 }), async (body, size) => {
        await read(body, [size]).catch((error: unknown) => assert.ok(error instanceof S3Error, String(error)))
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a form is refused', () => {
  const file = part('file', 'x')
  const malformed: Readonly<Record<string, Buffer>> = {
    'without a beginning': Buffer.from('hello'),
    'with another boundary': Buffer.from('--other\r\n'),
    empty: Buffer.alloc(0),
    'cut in a field': encode([part('key', 'k')]).subarray(0, 60),
    'cut in its file': encode([file]).subarray(0, -10),
    'whose part says nothing of itself': Buffer.from(`--${BOUNDARY}\r\nX: y\r\n\r\nv\r\n--${BOUNDARY}--\r\n`),
    'whose part has no name': encode([
      { header: 'Content-Disposition: form-data', value: Buffer.from('') },
      file,
    ]),
    'whose boundary goes on in the file': encode([part('file', `a\r\n--${BOUNDARY}d\r\nb`)]),
  }
  for (const [name, body] of Object.entries(malformed)) {
    it(name, async () => assert.equal((await refusal(read(body, [7]))).code, 'MalformedPOSTRequest'))
  }

  it('in no time, whatever its parts say of themselves', async () => {
    // Minutes, where each letter is a place to begin again from.
    for (const what of ['a', 'a ', 'a=', 'a="', '"\\"', 'a=\\"']) {
      const header = `Content-Disposition: form-data; ${what.repeat(500_000)}`
      const { code } = await refusal(read(encode([{ header, value: Buffer.from('') }])))
      assert.match(code, /^Ma/, what)
    }
  })

  it('without a file', async () => {
    const error = await refusal(read(encode([part('key', 'k')])))
    assert.equal(error.code, 'InvalidArgument')
    assert.equal(error.message, 'POST requires exactly one file upload per request.')
    assert.deepEqual(error.fields, { ArgumentName: 'file', ArgumentValue: '0' })
  })

  it('with more than 20 KB before its file, and not with that much', async () => {
    const head = encode([part('a', ''), part('file', '', '; filename="f"')], '').length - 2
    const fill = (more: number): Buffer =>
      encode([
        part('a', Buffer.alloc(POST_FORM_BYTES_MAX - head + more, 'x')),
        part('file', 'data', '; filename="f"'),
      ])
    assert.equal((await read(fill(0), [1000])).file.toString(), 'data')
    const error = await refusal(read(fill(1), [1000]))
    assert.equal(error.code, 'MaxPostPreDataLengthExceeded')
    assert.deepEqual(error.fields, { MaxPostPreDataLengthBytes: '20480' })
    // A field that never ends is not gathered up.
    assert.equal((await refusal(read(encode([part('a', Buffer.alloc(1 << 20))]), [4096]))).code, error.code)
  })
})

describe('the boundary', () => {
  for (const [type, expected] of [
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;charset=utf-8; Boundary="a b:c"', 'a b:c'],
    ['multipart/form-data; boundary=--x', '--x'],
  ] as const) {
    it(type, () => assert.equal(formBoundary(type), expected))
  }

  for (const [type, code] of [
    [undefined, 'PreconditionFailed'],
    ['application/json', 'PreconditionFailed'],
    ['application/x-www-form-urlencoded', 'PreconditionFailed'],
    ['multipart/mixed; boundary=abc', 'PreconditionFailed'],
    ['multipart/form-data', 'MalformedPOSTRequest'],
    ['multipart/form-data; boundary=', 'MalformedPOSTRequest'],
    [`multipart/form-data; boundary=${'b'.repeat(71)}`, 'MalformedPOSTRequest'],
  ] as const) {
    it(`refuses ${type ?? 'none'}`, () => {
      assert.throws(
        () => formBoundary(type),
        (error) => error instanceof S3Error && error.code === code,
      )
    })
  }
})
