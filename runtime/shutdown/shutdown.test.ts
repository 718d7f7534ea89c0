import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { systemClock } from '../clock/system-clock.ts'
import { silentLog } from '../log/pino-log.ts'
import type { Clock } from '../ports/clock.ts'
import { createShutdown } from './shutdown.ts'
import { onStopSignals } from './signals.ts'

test('closes in reverse order, once, and past a failure', async () => {
  const closed: string[] = []
  const shutdown = createShutdown({ clock: systemClock, log: silentLog, graceMs: 60_000 })
  for (const name of ['metadata', 'node', 'gateway']) {
    shutdown.add(name, () => {
      closed.push(name)
      return name === 'node' ? Promise.reject(new Error('no')) : Promise.resolve()
    })
  }
  assert.deepEqual(await Promise.all([shutdown.close(), shutdown.close()]), [false, false])
  assert.deepEqual(closed, ['gateway', 'node', 'metadata'])
})

test('gives up on what does not close in time', async () => {
  let ring: (() => void) | undefined
  const clock: Clock = {
    ...systemClock,
    after(ms, run) {
      assert.equal(ms, 7)
      ring = run
      return () => {}
    },
  }
  const shutdown = createShutdown({ clock, log: silentLog, graceMs: 7 })
  shutdown.add('stuck', () => new Promise(() => {}))
  const closing = shutdown.close()
  ring?.()
  assert.equal(await closing, false)
})

test('the first signal stops in order, its echo is ignored, a later one stops at once', () => {
  let nowMs = 1000
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }
  const source = new EventEmitter()
  const seen: string[] = []
  const off = onStopSignals(source, clock, {
    inOrder: () => seen.push('in order'),
    atOnce: () => seen.push('at once'),
  })
  source.emit('SIGINT')
  nowMs += 20
  source.emit('SIGTERM')
  assert.deepEqual(seen, ['in order'])
  nowMs += 1000
  source.emit('SIGTERM')
  assert.deepEqual(seen, ['in order', 'at once'])
  off()
  source.emit('SIGTERM')
  assert.equal(seen.length, 2)
})
