import assert from 'node:assert/strict'
import { test } from 'node:test'
import { atEnd, Run } from './lifetime.ts'

test('what was begun last ends first, of a test too', async (t) => {
  const order: string[] = []
  await t.test('folder, disk, process', (inner) => {
    for (const name of ['folder', 'disk', 'process']) {
      atEnd(inner, async () => {
        await Promise.resolve()
        order.push(name)
      })
    }
  })
  assert.deepEqual(order, ['process', 'disk', 'folder'])
})

test('one end that fails keeps none of the others, and is told', async () => {
  const order: string[] = []
  const run = new Run()
  atEnd(run, () => void order.push('folder'))
  atEnd(run, () => {
    throw new Error('the disk is busy')
  })
  atEnd(run, () => void order.push('process'))
  await assert.rejects(run.end(), /the disk is busy/)
  assert.deepEqual(order, ['process', 'folder'])
})
