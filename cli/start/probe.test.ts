import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { readClaim } from '../../core/signing/claim.ts'
import { deriveSigningKey, verifyClaim } from '../../core/signing/verify.ts'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import { probe, probeHeaders, type ProbeSigning } from './probe.ts'

const nowMs = Date.UTC(2026, 10, 20, 19, 30)
const signing: ProbeSigning = {
  credentials: { accessKeyId: 'ASHLEXAMPLE', secretAccessKey: 'secret' },
  region: 'eu-1',
  clock: { ...systemClock, nowMs: () => nowMs },
}

test("a probe's signature is genuine to the gateway's own rules", () => {
  const headers = probeHeaders('127.0.0.1:9000', signing)
  const request = {
    method: 'GET',
    rawPath: '/',
    rawQuery: '',
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
  }
  const claim = readClaim(request, { region: 'eu-1', services: ['s3'] })
  assert.ok(claim.ok && claim.kind === 'signed')
  assert.equal(claim.accessKey, 'ASHLEXAMPLE')
  const verdict = (secret: string) =>
    verifyClaim(claim, request, deriveSigningKey(nodeDigests, secret, claim.scope), nowMs, nodeDigests)
  assert.deepEqual(verdict('secret'), { ok: true })
  assert.equal(verdict('another').ok, false)
})

async function serve(t: TestContext, status: number, seen: IncomingHttpHeaders[]): Promise<string> {
  const server = createServer((request, response) => {
    seen.push(request.headers)
    response.writeHead(status).end('x')
  })
  t.after(() => server.close())
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a probe says what was answered, or that nothing was', async (t) => {
  const seen: IncomingHttpHeaders[] = []
  const endpoint = await serve(t, 403, seen)
  const never = new AbortController().signal
  assert.equal(await probe(endpoint, signing, never), 403)
  assert.equal(seen[0]?.host, new URL(endpoint).host)
  assert.equal(await probe('http://127.0.0.1:1', signing, never), undefined)
  assert.equal(await probe(endpoint, signing, AbortSignal.abort()), undefined)
})
