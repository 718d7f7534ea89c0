import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { type FailureHistory, judge, observe, type Sighting } from './failure.ts'

const RULES = { graceMs: 900_000, flapMs: 60_000 }
const NONE: ReadonlySet<string> = new Set()
const NODES = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1', 'c2', 'c3']

function sight(down: readonly string[], unknown: readonly string[] = []): Sighting[] {
  return NODES.map((id) => ({
    id,
    zone: id.slice(0, 1),
    liveness: down.includes(id) ? 'down' : unknown.includes(id) ? 'unknown' : 'up',
  }))
}

/** The history after these nodes were down for a time, seen every second. */
function after(
  history: FailureHistory,
  down: readonly string[],
  ms: number,
  unknown: readonly string[] = [],
) {
  let now = history
  for (let passed = 0; passed < ms; passed += 1000) now = observe(now, sight(down, unknown), 1000, RULES)
  return now
}

function verdict(history: FailureHistory, down: readonly string[], filling = NONE) {
  return judge(history, sight(down), filling, RULES)
}

test('a node is overdue when it has been down for the grace period, and not a moment before', () => {
  // The first look only begins to count.
  const almost = after(new Map(), ['a1'], 900_000)
  assert.deepEqual(verdict(almost, ['a1']), { substitute: [], held: '' })
  const then = after(almost, ['a1'], 1000)
  assert.deepEqual(verdict(then, ['a1']), { substitute: ['a1'], held: '' })
  const back = observe(then, sight([]), 1000, RULES)
  assert.deepEqual(verdict(back, []), { substitute: [], held: '' })
})

test('a node that flaps: only a minute up in one piece makes its time down forgotten', () => {
  let history: FailureHistory = new Map()
  for (let round = 0; round < 20; round++) {
    history = after(history, ['a1'], 50_000)
    history = after(history, [], 30_000)
  }
  history = after(history, ['a1'], 2000)
  assert.deepEqual(verdict(history, ['a1']).substitute, ['a1'])
  history = after(history, [], 62_000)
  history = after(history, ['a1'], 800_000)
  assert.deepEqual(verdict(history, ['a1']).substitute, [])
})

test('while it is not known who is away, the clock starts anew', () => {
  let history = after(new Map(), ['a1'], 900_000)
  history = after(history, [], 1000, NODES)
  history = after(history, ['a1'], 900_000)
  assert.deepEqual(verdict(history, ['a1']).substitute, [])
})

test('one node in each of several zones is substituted, as many as there may be at a time', () => {
  const down = ['a1', 'b1', 'c1']
  const history = after(after(new Map(), ['b1'], 5000), down, 902_000)
  const first = verdict(history, down)
  assert.deepEqual(first.substitute, ['b1', 'a1'])
  assert.match(first.held, /2 at a time/)
  assert.deepEqual(verdict(history, down, new Set(['b1', 'a1'])).substitute, ['b1', 'a1'])
  assert.deepEqual(verdict(history, down, new Set(['a1'])).substitute, ['a1', 'b1'])
})

test('what looks like a partition is left alone', () => {
  const across = ['a1', 'b1', 'b2']
  assert.match(verdict(after(new Map(), across, 902_000), across).held, /nodes of 2 zones/)
  const most = ['a1', 'a2']
  const held = verdict(after(new Map(), most, 902_000), most)
  assert.deepEqual(held.substitute, [])
  assert.match(held.held, /2 of 3 nodes of zone a/)
})

test('whatever comes: never more nodes at once than the bound, never most of a zone, only nodes that are down', () => {
  const look = fc.record({
    down: fc.subarray(NODES),
    unknown: fc.constantFrom<readonly string[]>([], [], [], NODES),
    seconds: fc.integer({ min: 1, max: 1200 }),
  })
  fc.assert(
    fc.property(fc.array(look, { maxLength: 8 }), fc.subarray(NODES), (looks, filling) => {
      let history: FailureHistory = new Map()
      for (const { down, unknown, seconds } of looks) {
        const seen = sight(down, unknown)
        history = observe(history, seen, seconds * 1000, RULES)
        const { substitute } = judge(history, seen, new Set(filling), RULES)
        assert.ok(substitute.every((id) => down.includes(id)))
        assert.ok(substitute.filter((id) => !filling.includes(id)).length <= 2)
        for (const zone of ['a', 'b', 'c']) {
          if (down.filter((id) => id.startsWith(zone)).length < 2) continue
          assert.ok(!substitute.some((id) => id.startsWith(zone)))
        }
      }
    }),
  )
})
