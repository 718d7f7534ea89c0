import assert from 'node:assert/strict'
import { request } from 'node:http'
import { test, type TestContext } from 'node:test'
import { adminToken, isLoopback, namesLoopback, verifyAdminToken } from './access.ts'
import { serveAdmin, type AdminAnswer } from './server.ts'

const SECRET = 's'.repeat(64)

const hello = (): AdminAnswer => ({ status: 200, type: 'text/plain; charset=utf-8', body: 'hello\n' })

async function open(t: TestContext, host: string) {
  const running = await serveAdmin(
    { host, port: 0, secret: SECRET },
    new Map([
      ['/metrics', hello],
      ['/healthz', hello],
    ]),
  )
  t.after(() => running.close())
  const port = Number(running.address.split(':').at(-1))
  return async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; body: string }>()
    const sent = request({ host: '127.0.0.1', port, path, headers, method, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.once('end', () => {
        resolve({ status: response.statusCode, body })
      })
    })
    sent.once('error', reject)
    sent.end()
    return await promise
  }
}

test('on loopback it answers this machine, and no page that calls it by another name', async (t) => {
  const ask = await open(t, '127.0.0.1')
  assert.deepEqual(await ask('/metrics?name=x'), { status: 200, body: 'hello\n' })
  assert.deepEqual(await ask('/metrics', {}, 'HEAD'), { status: 200, body: '' })
  assert.equal((await ask('/metrics', { host: 'rebound.example:9180' })).status, 403)
  assert.equal((await ask('/metrics', {}, 'POST')).status, 405)
  assert.deepEqual(await ask('/'), { status: 404, body: 'there are /metrics, /healthz\n' })
})

test('elsewhere it asks for the token, but for the sign of life', async (t) => {
  const ask = await open(t, '0.0.0.0')
  assert.equal((await ask('/healthz')).status, 200)
  assert.equal((await ask('/metrics')).status, 401)
  const wrong = adminToken(`${SECRET}x`)
  assert.equal((await ask('/metrics', { authorization: `Bearer ${wrong}` })).status, 401)
  assert.equal((await ask('/metrics', { authorization: `Bearer ${SECRET}` })).status, 401)
  assert.equal((await ask('/metrics', { authorization: `Bearer ${adminToken(SECRET)}` })).status, 200)
})

test('a head that is too large is refused', async (t) => {
  const ask = await open(t, '127.0.0.1')
  assert.equal((await ask('/metrics', { cookie: 'x'.repeat(10_000) })).status, 431)
})

test('what loopback is', () => {
  for (const host of ['127.0.0.1', '127.3.2.1', '::1', 'localhost']) assert.ok(isLoopback(host), host)
  for (const host of ['0.0.0.0', '::', '10.0.0.7', '127.0.0.1.example', 'metrics']) {
    assert.ok(!isLoopback(host), host)
  }
  for (const header of ['localhost:9180', '127.0.0.1', '[::1]:9180', 'LOCALHOST']) {
    assert.ok(namesLoopback(header), header)
  }
  for (const header of [undefined, '', 'example:9180', '127.0.0.1.example', '[::2]']) {
    assert.ok(!namesLoopback(header), header)
  }
})

test('the token is not the secret, and nothing else passes for it', () => {
  const token = adminToken(SECRET)
  assert.match(token, /^[0-9a-f]{64}$/)
  assert.notEqual(token, SECRET)
  assert.ok(verifyAdminToken(SECRET, `Bearer ${token}`))
  for (const header of [
    undefined,
    '',
    token,
    `Basic ${token}`,
    `Bearer ${token}0`,
    `Bearer ${token.slice(1)}`,
  ]) {
    assert.ok(!verifyAdminToken(SECRET, header), header)
  }
})
