import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { NamedLocks } from './locks.ts'

test('an exclusive holder is alone; shared ones are together; all get their turn', async () => {
  const holder = fc.record({ name: fc.constantFrom('a', 'b'), exclusive: fc.boolean(), turns: fc.nat(3) })
  await fc.assert(
    fc.asyncProperty(fc.array(holder, { maxLength: 20 }), async (holders) => {
      const locks = new NamedLocks()
      const inside = new Map<string, { shared: number; exclusive: number }>()
      let done = 0
      await Promise.all(
        holders.map(async ({ name, exclusive, turns }) => {
          const release = await (exclusive ? locks.exclusive(name) : locks.shared(name))
          const now = inside.get(name) ?? { shared: 0, exclusive: 0 }
          inside.set(name, now)
          now[exclusive ? 'exclusive' : 'shared']++
          assert.ok(now.exclusive === 0 || (now.exclusive === 1 && now.shared === 0))
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          assert.ok(now.exclusive === 0 || (now.exclusive === 1 && now.shared === 0))
          now[exclusive ? 'exclusive' : 'shared']--
          release()
          done++
        }),
      )
      assert.equal(done, holders.length)
    }),
  )
})

test('shared holders hold together, and a waiting writer is not passed by later readers', async () => {
  const locks = new NamedLocks()
  const order: string[] = []
  const first = await locks.shared('a')
  const second = await locks.shared('a')
  const writer = locks.exclusive('a').then((release) => {
    order.push('writer')
    return release
  })
  const late = locks.shared('a').then((release) => {
    order.push('late')
    return release
  })
  first()
  second()
  const release = await writer
  release()
  const last = await late
  last()
  assert.deepEqual(order, ['writer', 'late'])
})
