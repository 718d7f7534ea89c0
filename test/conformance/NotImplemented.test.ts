/** What of S3 is built, and that everything else answers 501 by its name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { s3Operations } from '../../gateway/schema/operations.ts'
import { routeRule, type RouteRule } from '../../gateway/schema/route-rules.ts'
import { builtOperations as built } from './built.ts'
import { startConformance } from './harness.ts'

const { raw } = await startConformance()

const paths = { service: '/', bucket: '/not-there', object: '/not-there/key' }

/** The least that tells an operation from the others. */
function smallestRequest(rule: RouteRule): {
  target: string
  headers: Record<string, string>
} {
  const { operation, level, subresource, literals, requiredQuery, requiredHeaders } = rule
  // Nearly all paths are the root, a bucket or a key.
  const [uri = ''] = operation.uri.split('?')
  const path = uri === '/' || uri.startsWith('/{') ? paths[level] : uri
  const query = [
    ...(subresource === undefined ? [] : [subresource]),
    ...literals.map(([key, value]) => `${key}=${value}`),
    ...requiredQuery.map((key) => `${key}=1`),
  ].join('&')
  return {
    target: query === '' ? path : `${path}?${query}`,
    headers: Object.fromEntries(requiredHeaders.map((name) => [name, 'not-there/key'])),
  }
}

for (const operation of s3Operations.values()) {
  const { name, method } = operation
  test(`${name} is ${built.has(name) ? 'built' : 'not built'}`, async () => {
    const answer = await raw({ method, ...smallestRequest(routeRule(operation)) })
    if (built.has(name)) {
      assert.notEqual(answer.status, 501)
    } else {
      assert.deepEqual([answer.status, answer.code], [501, 'NotImplemented'])
      assert.match(answer.body, new RegExp(`<Operation>${name}</Operation>`))
    }
  })
}

test('all that is built is in the schemas', () => {
  for (const name of built) assert.ok(s3Operations.has(name), name)
})

test('a stranger is refused before it learns what is built', async () => {
  const { status, code } = await raw({
    target: '/not-there?acl',
    headers: { 'x-amz-date': '20200101T000000Z' },
  })
  assert.deepEqual([status, code], [403, 'RequestTimeTooSkewed'])
})
