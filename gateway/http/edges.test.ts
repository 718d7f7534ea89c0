/** Requests at the edges of HTTP: answered as S3's are, and each in the access log. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { readResponse, requestText, startToyGateway } from './testing.ts'

describe('what is not a request', () => {
  const cases: Readonly<Record<string, readonly [text: string, code: string]>> = {
    rubbish: ['HELLO\r\n\r\n', 'BadRequest'],
    'a tunnel': ['CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', 'BadRequest'],
    'an unknown method': [requestText('FROBNICATE', '/bucket'), 'BadRequest'],
    'a bad length': [requestText('PUT', '/bucket/k', { 'Content-Length': '-1' }), 'BadRequest'],
    'an empty length': [requestText('PUT', '/bucket/k', { 'Content-Length': '' }), 'BadRequest'],
    'two lengths': [
      'PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      'BadRequest',
    ],
    'a length and chunks': [
      requestText('PUT', '/bucket/k', { 'Content-Length': '1', 'Transfer-Encoding': 'chunked' }),
      'BadRequest',
    ],
    'a URL of 40 KiB': [
      requestText('GET', `/bucket/k?a=${'x'.repeat(40_000)}`),
      'RequestHeaderSectionTooLarge',
    ],
    'headers of 40 KiB': [
      requestText('GET', '/bucket/k', { 'x-amz-meta-a': 'x'.repeat(40_000) }),
      'RequestHeaderSectionTooLarge',
    ],
  }
  for (const [name, [text, code]] of Object.entries(cases)) {
    it(`has an answer with ids, and a record: ${name}`, async () => {
      await using toy = await startToyGateway()
      const client = await toy.open()
      client.write(text)
      const { status, headers, body } = readResponse(await client.until((all) => all.includes('</Error>')))
      assert.equal(status, 400)
      assert.match(body, new RegExp(`<Code>${code}</Code>`))
      const id = headers.get('x-amz-request-id') ?? 'none'
      assert.match(id, /^[0-9A-F]{16}$/)
      assert.ok(headers.has('x-amz-id-2'))
      assert.equal(headers.get('date'), 'Fri, 02 Jan 2026 03:04:05 GMT')
      assert.equal(body.includes('<MaxSizeAllowed>32768<'), code === 'RequestHeaderSectionTooLarge')
      await setImmediate()
      assert.deepEqual(
        toy.records.map(({ requestId, status: recorded, errorCode, remoteAddress }) => [
          requestId,
          recorded,
          errorCode,
          remoteAddress,
        ]),
        [[id, 400, code, '127.0.0.1']],
      )
    })
  }

  it('a connection that is only closed has no record', async () => {
    await using toy = await startToyGateway()
    const client = await toy.open()
    client.socket.end()
    await client.closed()
    assert.deepEqual(toy.records, [])
  })
})

describe('HTTP/1.0', () => {
  it('is served, and its connection closed', async () => {
    await using toy = await startToyGateway()
    const text = requestText('GET', '/bucket/hello')
      .replace('HTTP/1.1', 'HTTP/1.0')
      .replace('Connection: close\r\n', '')
    const { status, headers, body } = readResponse(await toy.exchange(text))
    assert.deepEqual([status, body, headers.get('transfer-encoding')], [200, 'hello', undefined])
  })
})

describe('names and values', () => {
  it('in the query: a plus is a blank, no value is an empty one, of repeated ones the first', async () => {
    await using toy = await startToyGateway()
    for (const [query, prefix] of [
      ['list-type=2&prefix=a+b', 'a b'],
      ['list-type=2&prefix=a%2Bb', 'a+b'],
      ['list-type=2&prefix', ''],
      ['list-type=2&prefix=', ''],
      ['list-type=2&prefix=one&prefix=two', 'one'],
      ['&&list-type=2&&prefix=x&', 'x'],
    ] as const) {
      const { status, body } = readResponse(await toy.exchange(requestText('GET', `/bucket?${query}`)))
      assert.equal(status, 200)
      assert.ok(body.includes(prefix === '' ? '<Prefix></Prefix>' : `<Prefix>${prefix}</Prefix>`), body)
    }
  })

  it('in the path: slashes, dots and escapes belong to the key', async () => {
    await using toy = await startToyGateway()
    for (const [path, key] of [
      ['/bucket/a//b', 'a//b'],
      ['/bucket//a', '/a'],
      ['/bucket/a/', 'a/'],
      ['/bucket/a%2Fb', 'a/b'],
      ['/bucket/../x', '../x'],
      ['/bucket/a+b%20c', 'a+b c'],
    ] as const) {
      await toy.exchange(requestText('GET', path))
      assert.equal(toy.records.at(-1)?.key, key)
    }
  })

  it('bytes above ASCII in headers do no harm', async () => {
    await using toy = await startToyGateway()
    const headers = { 'x-amz-meta-a': 'caf\xc3\xa9', 'x-amz-meta-b': '\xff\xfe', 'User-Agent': '\xe9' }
    const { status } = readResponse(await toy.exchange(requestText('PUT', '/bucket/k', headers, 'x')))
    assert.equal(status, 200)
  })
})

describe('100-continue is withheld', () => {
  const expect = { Expect: '100-continue', Connection: 'keep-alive' }
  const md5 = { 'Content-MD5': 'short' }
  const cases: Readonly<Record<string, readonly [text: string, status: number]>> = {
    'from whom we do not know': [
      requestText('PUT', '/bucket/k', { ...expect, Authorization: '', 'Content-Length': '5' }),
      403,
    ],
    'for a bucket name that is none': [requestText('PUT', '/b/k', { ...expect, 'Content-Length': '5' }), 400],
    'for a method that is none': [
      requestText('POST', '/bucket/k', { ...expect, 'Content-Length': '5' }),
      405,
    ],
    'for what is not built': [requestText('PUT', '/bucket/k?acl', { ...expect, 'Content-Length': '5' }), 501],
    'for more than 5 GiB': [
      requestText('PUT', '/bucket/k', { ...expect, 'Content-Length': String(5 * 1024 ** 3 + 1) }),
      400,
    ],
    'without a length': [requestText('PUT', '/bucket/k', { ...expect, 'Transfer-Encoding': 'chunked' }), 501],
    'for a digest that is none': [
      requestText('PUT', '/bucket/k', { ...expect, ...md5, 'Content-Length': '5' }),
      400,
    ],
    'for a bad header': [
      requestText('PUT', '/bucket/k', { ...expect, 'x-amz-storage-class': 'GOLD', 'Content-Length': '5' }),
      400,
    ],
    'when the handler refuses at once': [
      requestText('PUT', '/bucket/refused', { ...expect, 'Content-Length': '5' }),
      404,
    ],
    'for a form that is none': [
      requestText('POST', '/bucket', { ...expect, Authorization: '', 'Content-Length': '5' }),
      412,
    ],
  }
  for (const [name, [text, status]] of Object.entries(cases)) {
    it(name, async () => {
      await using toy = await startToyGateway()
      const received = await toy.exchange(text)
      assert.doesNotMatch(received, /100 Continue/)
      const response = readResponse(received)
      assert.equal(response.status, status)
      assert.equal(response.headers.get('connection'), 'close')
      assert.equal(toy.records[0]?.bytesReceived, 0)
    })
  }

  it('and other expectations are ignored, as S3 does', async () => {
    await using toy = await startToyGateway()
    for (const value of ['200', '']) {
      const { status } = readResponse(
        await toy.exchange(requestText('PUT', '/bucket/k', { Expect: value }, 'x')),
      )
      assert.equal(status, 200)
    }
  })
})

describe('HEAD', () => {
  it('has no body, whatever the answer', async () => {
    await using toy = await startToyGateway()
    for (const [target, headers, status] of [
      ['/bucket/hello', {}, 200],
      ['/bucket/none', {}, 404],
      ['/b/k', {}, 400],
      ['/bucket/hello', { Authorization: '' }, 403],
      ['/bucket/hello?acl', {}, 405],
      ['/bucket/%ff', {}, 400],
    ] as const) {
      const response = readResponse(await toy.exchange(requestText('HEAD', target, headers)))
      assert.deepEqual([response.status, response.body], [status, ''], target)
      assert.match(response.headers.get('x-amz-request-id') ?? '', /^[0-9A-F]{16}$/)
    }
  })
})
