/**
 * Random requests of every operation of S3, built or not: none is answered with 500, none brings the gateway down, and what
 * is stored afterwards is whole.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { documentRequests, requests, type Known } from './arbitraries.ts'
import type { RawResponse } from '../signed-request.ts'
import { assertSound, type FuzzRequest } from './client.ts'
import { fuzzSettings } from './settings.ts'
import { PLAIN, startWorld, VERSIONED } from './world.ts'

const REQUESTS = 14_000
const DOCUMENTS = 8_000
/** Requests until what they may have deleted is made again. */
const RESTORED_EVERY = 16
const VALUES_MAX = 500

const world = await startWorld()
after(() => {
  world.fuzz.close()
})

const known: Known = {
  buckets: [PLAIN, VERSIONED],
  keys: ['one', 'two', 'folder/', 'folder/three', '%C3%A9', 'a%20b', 'a+b', '%00', '%2F', '..%2Fup'],
  values: [],
}

/** What answers give out, for later requests to use. */
function learn({ body, headers }: RawResponse): void {
  const { values } = known
  const found = body.matchAll(/<(?:ETag|VersionId|UploadId|Next\w*(?:Token|Marker))>([^<]+)</g)
  for (const [, value] of found) if (value !== undefined) values.push(value.replaceAll('&quot;', '"'))
  for (const name of ['etag', 'x-amz-version-id']) if (headers[name] !== undefined) values.push(headers[name])
  if (values.length > VALUES_MAX) values.splice(0, values.length - VALUES_MAX)
}

async function fuzz(from: fc.Arbitrary<FuzzRequest>, runs: number) {
  const outcomes = new Set<string>()
  let asked = 0
  let successes = 0
  const property = fc.asyncProperty(from, async (request) => {
    if (asked++ % RESTORED_EVERY === 0) await world.restore()
    const answer = await world.fuzz.send(request)
    assertSound(request, answer)
    learn(answer)
    outcomes.add(`${request.method} ${answer.status} ${answer.code ?? ''}`)
    if (answer.status < 300) successes++
  })
  await fc.assert(property, fuzzSettings(runs))
  await world.assertWhole()
  return { outcomes: outcomes.size, successRate: successes / asked }
}

test('every answer to a random request is sound', { timeout: 600_000 }, async () => {
  const { outcomes, successRate } = await fuzz(requests(known), REQUESTS)
  // Otherwise it only knocks at the door.
  assert.ok(successRate > 0.05, `${successRate} succeeded`)
  assert.ok(outcomes > 60, `${outcomes} different outcomes`)
})

test('every answer to a random document is sound', { timeout: 600_000 }, async () => {
  const { outcomes, successRate } = await fuzz(documentRequests(known), DOCUMENTS)
  assert.ok(successRate > 0.02, `${successRate} succeeded`)
  assert.ok(outcomes > 15, `${outcomes} different outcomes`)
})
