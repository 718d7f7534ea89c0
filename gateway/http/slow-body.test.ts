/** Bodies that trickle: judged by the time we waited for the client, and by nothing else. Time is the test's. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { BodyRate } from './body-rate.ts'
import { ManualClock } from './testing-clock.ts'
import { fixedTimeMs, readResponse, requestText, startToyGateway } from './testing.ts'

const limits = { bodyRateWindowMs: 1000, bodyRateBytesMin: 100 }

describe('the rate of a body', () => {
  const wait = (clock: ManualClock, rate: BodyRate, ms: number): void => {
    const waited = rate.wait()
    clock.pass(ms)
    waited()
  }

  it('is judged when the window is over, and anew in each', () => {
    const clock = new ManualClock(fixedTimeMs)
    const rate = new BodyRate(clock, limits)
    for (const [ms, bytes, slow] of [
      [999, 1, false],
      [1, 99, false],
      [1000, 100, false],
      [1000, 99, true],
      [500, 1_000_000, false],
      [500, 0, false],
      [5000, 0, true],
    ] as const) {
      rate.received(bytes)
      wait(clock, rate, ms)
      assert.equal(rate.tooSlow(), slow, `${bytes} bytes in ${ms} ms`)
    }
  })

  it('does not count the time that nobody waited for the client', () => {
    const clock = new ManualClock(fixedTimeMs)
    const rate = new BodyRate(clock, limits)
    clock.pass(1_000_000)
    wait(clock, rate, 10)
    assert.equal(rate.tooSlow(), false)
  })
})

describe('a client that trickles its body', () => {
  async function trickle(piece: string, waits: readonly number[]) {
    const clock = new ManualClock(fixedTimeMs)
    const toy = await startToyGateway(limits, undefined, clock)
    const client = await toy.open()
    client.write(
      requestText('PUT', '/bucket/k', { 'Content-Length': '1000', Connection: 'keep-alive' }) + 'x',
    )
    let chunks = 1
    const taken = async (): Promise<void> => {
      const seen = (): number => toy.events.happened.filter((name) => name === 'chunk').length
      while (seen() < chunks && !client.received.includes('</Error>')) await setImmediate()
      // Its reader waits for the next one before the event loop turns.
      await setImmediate()
    }
    for (const ms of waits) {
      await taken()
      clock.pass(ms)
      client.write(piece)
      chunks++
    }
    await taken()
    // The answer is whole; its connection may be closed already.
    return { toy, client }
  }

  it('is told RequestTimeout, and its connection closed', async () => {
    const { toy, client } = await trickle('y', [400, 400, 400])
    await using _ = toy
    const { status, headers, body } = readResponse(client.received)
    assert.equal(status, 400)
    assert.match(body, /<Code>RequestTimeout<\/Code>/)
    assert.equal(headers.get('connection'), 'close')
    assert.ok(toy.events.happened.includes('RequestTimeout'))
    assert.equal(toy.records[0]?.errorCode, 'RequestTimeout')
  })

  it('is served as long as it keeps the rate', async () => {
    const { toy, client } = await trickle('y'.repeat(111), [900, 900, 900, 900, 900, 900, 900, 900, 900])
    await using _ = toy
    assert.match(await client.until((received) => received.includes('\r\n\r\n')), /^HTTP\/1\.1 200/)
  })
})
