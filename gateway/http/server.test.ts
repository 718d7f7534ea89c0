import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { readResponse, requestText, startToyGateway } from './testing.ts'

describe('answers', () => {
  it('carry request id, host id, date and server', async () => {
    await using toy = await startToyGateway()
    const { status, headers, body } = readResponse(await toy.exchange(requestText('GET', '/bucket/hello')))
    assert.equal(status, 200)
    assert.equal(body, 'hello')
    assert.match(headers.get('x-amz-request-id') ?? '', /^[0-9A-F]{16}$/)
    assert.equal(headers.get('x-amz-id-2')?.length, 64)
    assert.equal(headers.get('date'), 'Fri, 02 Jan 2026 03:04:05 GMT')
    assert.equal(headers.get('content-length'), '5')
    assert.equal(headers.get('content-type'), 'text/plain')
  })

  it('put: the body reaches the handler whole', async () => {
    await using toy = await startToyGateway()
    const { status, headers } = readResponse(await toy.exchange(requestText('PUT', '/bucket/k', {}, 'hello')))
    assert.equal(status, 200)
    assert.equal(headers.get('etag'), '"5d41402abc4b2a76b9719d911017c592"')
    assert.equal(headers.get('content-length'), '0')
  })

  it('head: headers of the object, no body', async () => {
    await using toy = await startToyGateway()
    const { status, headers, body } = readResponse(await toy.exchange(requestText('HEAD', '/bucket/hello')))
    assert.equal(status, 200)
    assert.equal(headers.get('content-length'), '5')
    assert.equal(body, '')
  })

  it('head of nothing: an error without a body', async () => {
    await using toy = await startToyGateway()
    const { status, headers, body } = readResponse(await toy.exchange(requestText('HEAD', '/bucket/none')))
    assert.equal(status, 404)
    assert.equal(body, '')
    assert.match(headers.get('x-amz-request-id') ?? '', /^[0-9A-F]{16}$/)
  })

  it('delete: 204 without length', async () => {
    await using toy = await startToyGateway()
    const { status, headers, body } = readResponse(await toy.exchange(requestText('DELETE', '/bucket/hello')))
    assert.equal(status, 204)
    assert.equal(headers.has('content-length'), false)
    assert.equal(body, '')
  })

  it('location: the unwrapped document', async () => {
    await using toy = await startToyGateway()
    const { body } = readResponse(await toy.exchange(requestText('GET', '/bucket?location')))
    assert.equal(
      body,
      '<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">us-west-2</LocationConstraint>',
    )
  })

  it('virtual-host style reaches the same object', async () => {
    await using toy = await startToyGateway()
    for (const host of ['bucket.s3.example.com:9000', 'Bucket.S3.Example.com', 'bucket.example.com']) {
      const { headers } = readResponse(await toy.exchange(requestText('GET', '/hello', { Host: host })))
      assert.equal(headers.get('etag'), '"bucket/hello"')
    }
  })

  it('pipelined requests are answered in order on one connection', async () => {
    await using toy = await startToyGateway()
    const keep = { Connection: 'keep-alive' }
    const received = await toy.exchange(
      requestText('GET', '/bucket/hello', keep) +
        requestText('PUT', '/bucket/k', keep, 'hello') +
        requestText('GET', '/bucket/missing', keep) +
        requestText('HEAD', '/bucket/hello', keep) +
        requestText('GET', '/bucket/hello'),
    )
    const statuses = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1])
    assert.deepEqual(statuses, ['200', '200', '404', '200', '200'])
    assert.equal(new Set([...received.matchAll(/x-amz-request-id: (\S+)/g)].map((m) => m[1])).size, 5)
  })

  it('a record is written for each, with what happened', async () => {
    await using toy = await startToyGateway()
    await toy.exchange(requestText('PUT', '/bucket/k', { 'User-Agent': 'tester' }, 'hello'))
    await toy.exchange(requestText('GET', '/bucket/none', { Authorization: 'nobody' }))
    const [put, refused] = toy.records
    assert.deepEqual(
      [put?.operation, put?.status, put?.bytesReceived, put?.sender, put?.userAgent, put?.complete],
      ['PutObject', 200, 5, 'AKIDROOT', 'tester', true],
    )
    assert.deepEqual(
      [refused?.operation, refused?.status, refused?.errorCode, refused?.sender],
      ['GetObject', 403, 'AccessDenied', 'anonymous'],
    )
  })
})

describe('errors', () => {
  it('are documents with the ids of the answer', async () => {
    await using toy = await startToyGateway()
    const { status, headers, body } = readResponse(await toy.exchange(requestText('GET', '/bucket/a%26b')))
    assert.equal(status, 404)
    assert.equal(
      body,
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>' +
        `<Key>a&amp;b</Key><RequestId>${headers.get('x-amz-request-id') ?? 'none'}</RequestId><HostId>${headers.get('x-amz-id-2') ?? 'none'}</HostId></Error>`,
    )
  })

  it('unknown exceptions tell the client nothing and the log everything', async () => {
    await using toy = await startToyGateway()
    const { status, headers, body } = readResponse(
      await toy.exchange(requestText('PUT', '/bucket/crash', {}, 'x')),
    )
    assert.equal(status, 500)
    assert.match(body, /<Code>InternalError<\/Code>/)
    assert.doesNotMatch(body, /secret|etc|\.ts/)
    const [line] = toy.logged
    assert.equal(line?.fields?.['requestId'], headers.get('x-amz-request-id'))
    assert.match(String(line?.fields?.['error']), /secret/)
  })

  it('operations that are not built are refused by name', async () => {
    await using toy = await startToyGateway()
    const { status, body } = readResponse(await toy.exchange(requestText('GET', '/bucket?versioning')))
    assert.equal(status, 501)
    assert.match(body, /<Code>NotImplemented<\/Code>.*GetBucketVersioning/)
  })
})

describe('bodies that break', () => {
  for (const key of ['breaks', 'short', 'long']) {
    it(`a response body that ${key} is cut, never completed`, async () => {
      await using toy = await startToyGateway()
      const { status, headers, body } = readResponse(
        await toy.exchange(requestText('GET', `/bucket/${key}`, { Connection: 'keep-alive' })),
      )
      // A stream that is wrong before its first byte was sent may still be seen as an empty reply.
      if (status) {
        assert.equal(status, 200)
        assert.ok(body.length < Number(headers.get('content-length')) || key === 'long')
      }
      assert.equal(toy.logged.length, 1)
      assert.equal(toy.records[0]?.complete, false)
    })
  }

  it('a body shorter than declared is IncompleteBody', async () => {
    await using toy = await startToyGateway()
    const client = await toy.open()
    client.write(requestText('PUT', '/bucket/k', { 'Content-Length': '100' }) + 'only this')
    await toy.events.until('chunk')
    client.socket.end()
    const { status, body } = readResponse(await client.closed())
    assert.equal(status, 400)
    assert.match(body, /<Code>IncompleteBody<\/Code>/)
  })

  it('a client that hangs up aborts the handler and its read', async () => {
    await using toy = await startToyGateway()
    const client = await toy.open()
    client.write(requestText('PUT', '/bucket/k', { 'Content-Length': '100' }) + 'only this')
    await toy.events.until('chunk')
    client.socket.resetAndDestroy()
    await toy.events.until('aborted')
    await toy.events.until('IncompleteBody')
    assert.equal(toy.logged.length, 0)
  })

  it('a client that leaves during a download stops it', async () => {
    await using toy = await startToyGateway()
    const client = await toy.open()
    client.write(requestText('GET', '/bucket/endless'))
    await client.until((received) => received.length > 100_000)
    client.socket.resetAndDestroy()
    await toy.events.until('aborted')
  })
})

describe('100-continue', () => {
  const expect = { Expect: '100-continue', 'Content-Length': '5', Connection: 'close' }

  it('is answered when the handler pulls, then the body follows', async () => {
    await using toy = await startToyGateway()
    const client = await toy.open()
    client.write(requestText('PUT', '/bucket/k', expect))
    await client.until((received) => received.includes('100 Continue\r\n\r\n'))
    client.write('hello')
    const received = await client.closed()
    assert.match(received, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  })

  it('is withheld from a caller who may not, and the connection closes', async () => {
    await using toy = await startToyGateway()
    const received = await toy.exchange(
      requestText('PUT', '/bucket/k', { ...expect, Authorization: 'nobody', Connection: 'keep-alive' }),
    )
    assert.match(received, /^HTTP\/1\.1 403/)
    assert.doesNotMatch(received, /100 Continue/)
    assert.match(received, /connection: close/i)
    assert.deepEqual(toy.events.happened, [])
  })

  it('is withheld when the handler refuses before it reads', async () => {
    await using toy = await startToyGateway()
    const received = await toy.exchange(
      requestText('PUT', '/bucket/refused', { ...expect, Connection: 'keep-alive' }),
    )
    assert.match(received, /^HTTP\/1\.1 404/)
    assert.deepEqual(toy.events.happened, ['put'])
  })
})

describe('connections', () => {
  it('survive a body that nobody read, up to the bound', async () => {
    await using toy = await startToyGateway({ drainBytesMax: 1000 })
    const keep = { Connection: 'keep-alive' }
    const received = await toy.exchange(
      requestText('PUT', '/bucket/ignored', keep, 'x'.repeat(1000)) + requestText('GET', '/bucket/hello'),
    )
    assert.equal([...received.matchAll(/HTTP\/1\.1 200/g)].length, 2)
  })

  it('close after a body beyond the bound, the answer delivered first', async () => {
    await using toy = await startToyGateway({ drainBytesMax: 1000 })
    const client = await toy.open()
    client.write(
      requestText('PUT', '/bucket/ignored', { Connection: 'keep-alive', 'Content-Length': '10000000' }),
    )
    await client.until((received) => received.includes('\r\n\r\n'))
    for (let i = 0; i < 3; i++) client.write('x'.repeat(1000))
    assert.match(await client.closed(), /^HTTP\/1\.1 200/)
  })

  it('heads beyond the bound are refused', async () => {
    await using toy = await startToyGateway({ headBytesMax: 4096 })
    const { status, headers, body } = readResponse(
      await toy.exchange(requestText('GET', '/bucket/hello', { 'X-Big': 'x'.repeat(5000) })),
    )
    assert.equal(status, 400)
    assert.match(body, /<Code>RequestHeaderSectionTooLarge<\/Code>/)
    assert.match(headers.get('x-amz-request-id') ?? '', /^[0-9A-F]{16}$/)
    const long = readResponse(await toy.exchange(requestText('GET', `/bucket/${'k'.repeat(5000)}`)))
    assert.equal(long.status, 400)
  })

  it('slow heads are given up', async () => {
    await using toy = await startToyGateway({ headTimeoutMs: 50 })
    const client = await toy.open()
    client.write('GET /bucket/hello HTTP/1.1\r\nHost: loc')
    const { status, body } = readResponse(await client.closed())
    assert.equal(status, 400)
    assert.match(body, /<Code>RequestTimeout<\/Code>/)
  })

  it('silent bodies are given up', async () => {
    await using toy = await startToyGateway({ idleTimeoutMs: 50 })
    const client = await toy.open()
    client.write(requestText('PUT', '/bucket/k', { 'Content-Length': '100' }) + 'start')
    const { status, body } = readResponse(await client.closed())
    assert.equal(status, 400)
    assert.match(body, /<Code>RequestTimeout<\/Code>/)
  })

  it('silent because the handler works are kept', async () => {
    await using toy = await startToyGateway({ idleTimeoutMs: 20 })
    const client = await toy.open()
    client.write(requestText('PUT', '/bucket/waits', {}, 'hello'))
    for (let i = 0; i < 2; i++) await once(toy.gateway.server, 'timeout')
    toy.events.note('go on')
    assert.match(await client.closed(), /^HTTP\/1\.1 200/)
  })

  it('close() lets the request in flight finish', async () => {
    await using toy = await startToyGateway()
    const client = await toy.open()
    client.write(requestText('PUT', '/bucket/k', { 'Content-Length': '5', Connection: 'keep-alive' }) + 'he')
    await toy.events.until('chunk')
    const closed = toy.gateway.close()
    client.write('llo')
    assert.match(await client.closed(), /^HTTP\/1\.1 200/)
    await closed
  })
})
