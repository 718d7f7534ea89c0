import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { ADMISSION_ACCOUNTS_MAX, ADMISSION_DELAY_TARGET_MS, ADMISSION_IN_FLIGHT_MAX } from '../limits.ts'
import { fairLevel } from './fair-share.ts'
import { AdmissionGate, type Ticket } from './gate.ts'
import { type Server, SimulatedService, type Source } from './testing/simulated-service.ts'

test('the level of max-min fairness: none gets more than asked for, nothing is left while somebody wants more', () => {
  const demand = fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constant(Number.POSITIVE_INFINITY))
  fc.assert(
    fc.property(
      fc.double({ min: 1, max: 50, noNaN: true }),
      fc.array(demand, { minLength: 1 }),
      (capacity, demands) => {
        const level = fairLevel(capacity, demands)
        const given = demands.reduce((sum, one) => sum + Math.min(one, level), 0)
        if (level === Number.POSITIVE_INFINITY) assert.ok(given <= capacity)
        else assert.ok(Math.abs(given - capacity) < 1e-6)
      },
    ),
  )
})

/** One request after the other, and a group commit whose sync is shared: both do about 2,000 a second. */
const CAPACITY = 2000
const servers: Readonly<Record<string, Server>> = {
  'one by one': { takesMs: () => 1000 / CAPACITY, batchMax: 1 },
  'in groups': { takesMs: (count) => 8 + count * 0.46, batchMax: 400 },
}

const light: readonly Source[] = Array.from({ length: 20 }, (_, index) => ({
  tenant: `light${index}`,
  bucket: `light${index}`,
  rate: CAPACITY / 100,
}))
const heavy = (times: number, name = 'heavy'): Source => ({
  tenant: name,
  bucket: name,
  rate: CAPACITY * times,
})

function started(server: Server, seed = 1): { gate: AdmissionGate; service: SimulatedService } {
  const gate = new AdmissionGate()
  return { gate, service: new SimulatedService(gate, server, seed) }
}

function shareAdmitted(service: SimulatedService, sources: readonly Source[]): number {
  let offered = 0
  let admitted = 0
  for (const source of sources) {
    const outcome = service.outcomes.get(source)
    offered += outcome?.offered ?? 0
    admitted += outcome?.admitted ?? 0
  }
  return admitted / offered
}

function percentile(values: readonly number[], percent: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length * percent) / 100)] ?? 0
}

for (const [name, server] of Object.entries(servers)) {
  for (const times of [2, 5]) {
    test(`one tenant asks for ${times} times what can be done ${name}: the others get through, and nothing is lost`, () => {
      const { service } = started(server)
      const sources = [...light, heavy(times)]
      service.run(4000, sources)
      service.forget()
      service.run(6000, sources)
      assert.ok(shareAdmitted(service, light) >= 0.99, `${shareAdmitted(service, light)} of the light ones`)
      const perSecond = service.delaysMs.length / 6
      assert.ok(perSecond >= 0.9 * CAPACITY, `${perSecond} a second`)
      const slow = percentile(service.delaysMs, 99)
      assert.ok(slow <= 3 * ADMISSION_DELAY_TARGET_MS, `${slow} ms`)
    })
  }
}

test('from the first moment of an overload, too, nearly all of the light ones get through', () => {
  const { service } = started({ takesMs: () => 1000 / CAPACITY, batchMax: 1 })
  service.run(2000, light)
  service.forget()
  service.run(6000, [...light, heavy(5)])
  assert.ok(shareAdmitted(service, light) >= 0.98, `${shareAdmitted(service, light)} of the light ones`)
})

test('two that ask for too much get the same, however much more one of them asks for', () => {
  const { service } = started({ takesMs: () => 1000 / CAPACITY, batchMax: 1 })
  const [more, less] = [heavy(5, 'more'), heavy(1, 'less')]
  service.run(4000, [...light, more, less])
  service.forget()
  service.run(6000, [...light, more, less])
  const admitted = [more, less].map((source) => service.outcomes.get(source)?.admitted ?? 0)
  const ratio = (admitted[0] ?? 0) / (admitted[1] ?? 1)
  assert.ok(ratio > 0.8 && ratio < 1.25, admitted.join(' and '))
  assert.ok(shareAdmitted(service, light) >= 0.99)
})

test('of one tenant, a light bucket gets through beside a heavy one', () => {
  const { service } = started({ takesMs: () => 1000 / CAPACITY, batchMax: 1 })
  const small: Source = { tenant: 'heavy', bucket: 'small', rate: CAPACITY / 20 }
  const sources = [...light, heavy(3), heavy(1, 'second'), small]
  service.run(4000, sources)
  service.forget()
  service.run(6000, sources)
  assert.ok(shareAdmitted(service, [small]) >= 0.99, String(shareAdmitted(service, [small])))
  assert.ok(shareAdmitted(service, light) >= 0.99)
})

test('many tenants that all ask for a little too much: no queue grows, and the work goes on', () => {
  const { gate, service } = started({ takesMs: () => 1000 / CAPACITY, batchMax: 1 })
  const crowd = Array.from({ length: 300 }, (_, index) => ({
    tenant: `t${index}`,
    bucket: `t${index}`,
    rate: (2 * CAPACITY) / 300,
  }))
  service.run(4000, crowd)
  service.forget()
  service.run(4000, crowd)
  assert.ok(service.delaysMs.length / 4 >= 0.9 * CAPACITY)
  assert.ok(percentile(service.delaysMs, 99) <= 3 * ADMISSION_DELAY_TARGET_MS)
  assert.ok(gate.inFlight <= 3 * gate.bound)
})

test('below what can be done, nobody is refused; after an overload it is so again', () => {
  const { gate, service } = started({ takesMs: () => 1000 / CAPACITY, batchMax: 1 })
  const busy = [...light, heavy(0.7)]
  service.run(5000, busy)
  assert.equal(gate.refused, 0)
  service.run(5000, [heavy(4)])
  assert.ok(gate.refused > 0)
  service.run(1000, busy)
  service.forget()
  service.run(3000, busy)
  assert.equal(shareAdmitted(service, busy), 1)
})

test('an engine that is slow without any load is not taken for one that is overloaded', () => {
  // 150 ms a commit, of as many as come.
  const { gate, service } = started({ takesMs: () => 150, batchMax: 10_000 })
  service.run(10_000, [heavy(0.005)])
  service.run(10_000, [heavy(1)])
  assert.equal(gate.refused, 0)
  // Nor if it is slow from the start, and the load there: after a while that is known.
  const late = started({ takesMs: () => 150, batchMax: 10_000 })
  late.service.run(15_000, [heavy(1)])
  late.service.forget()
  late.service.run(5000, [heavy(1)])
  assert.ok(late.service.delaysMs.length / 5 >= 0.9 * CAPACITY)
})

test('one slow request alone says nothing of a queue', () => {
  const gate = new AdmissionGate()
  const slow = gate.enter('t', 'b', 0)
  assert.ok(slow)
  for (let at = 100; at < 5000; at += 25) {
    const quick = gate.enter('t', 'b', at)
    assert.ok(quick)
    gate.leave(quick, at + 1)
  }
  gate.leave(slow, 5000)
  assert.equal(gate.bound, ADMISSION_IN_FLIGHT_MAX)
})

test('an engine that stands still: work in flight is bounded, and the rest refused; then all goes on', () => {
  const gate = new AdmissionGate()
  const tickets: Ticket[] = []
  for (let at = 0; at < 3000; at++) {
    for (let count = 0; count < 4; count++) {
      const ticket = gate.enter('t', 'b', at)
      if (ticket !== undefined) tickets.push(ticket)
    }
  }
  assert.ok(tickets.length <= ADMISSION_IN_FLIGHT_MAX)
  assert.ok(gate.refused > 0)
  for (const ticket of tickets) gate.leave(ticket, 3000)
  assert.equal(gate.inFlight, 0)
  assert.notEqual(gate.enter('t', 'b', 3001), undefined)
})

test('accounts are bounded, and those that are idle forgotten', () => {
  const gate = new AdmissionGate({ inFlightMax: 10 })
  const tickets = Array.from({ length: 5 * ADMISSION_ACCOUNTS_MAX }, (_, index) =>
    gate.enter(`t${index}`, 'b', 0),
  )
  const inWork = tickets.filter((ticket) => ticket !== undefined)
  assert.ok(inWork.length <= 20)
  for (const ticket of inWork) gate.leave(ticket, 1)
  assert.equal(gate.inFlight, 0)
})

for (const times of [2, 5]) {
  test(`of who asks for ${times} times what can be done before the bytes are sent, none is refused after; nor is anybody else`, () => {
    const { gate, service } = started({ takesMs: () => 1000 / CAPACITY, batchMax: 1 })
    // Bodies take half a second, and half of the light ones have such, too.
    const asking = light.map((source, index) => (index % 2 === 0 ? { ...source, laterMs: 500 } : source))
    const sources = [...asking, { ...heavy(times), laterMs: 500 }]
    service.run(5000, sources)
    service.forget()
    service.run(5000, sources)
    assert.ok(shareAdmitted(service, asking) >= 0.99, `${shareAdmitted(service, asking)} of the light ones`)
    assert.equal(
      [...service.outcomes.values()].reduce((sum, { broken }) => sum + broken, 0),
      0,
    )
    assert.ok(service.delaysMs.length / 5 >= 0.75 * CAPACITY, `${service.delaysMs.length} in 5 s`)
    assert.ok(percentile(service.delaysMs, 99) <= 6 * ADMISSION_DELAY_TARGET_MS)
    assert.ok(gate.inFlight <= 5 * gate.bound)
  })
}

test('a reservation stands in work until it is used, is given up, or has stood for the delay at the bound', () => {
  const gate = new AdmissionGate({ inFlightMin: 1, inFlightMax: 2 })
  const [used, givenUp] = [gate.reserve('t', 'b', 0), gate.reserve('t', 'b', 0)]
  assert.ok(used && givenUp)
  assert.equal(gate.enter('t', 'b', 0), undefined)
  const ticket = gate.enter('t', 'b', 1, used)
  assert.ok(ticket)
  assert.equal(gate.inFlight, 2)
  gate.cancel(givenUp)
  gate.cancel(givenUp)
  gate.leave(ticket, 2)
  assert.equal(gate.inFlight, 0)
  const endsMs = 10 + ADMISSION_DELAY_TARGET_MS
  assert.ok(gate.reserve('t', 'b', 10))
  assert.ok(gate.reserve('t', 'b', endsMs - 1))
  assert.equal(gate.reserve('t', 'b', endsMs - 1), undefined)
  assert.ok(gate.reserve('t', 'b', endsMs))
  assert.equal(gate.inFlight, 2)
})

test('whoever asked is let in past the bound, however late, but not past twice of what is ever worked on', () => {
  const gate = new AdmissionGate({ inFlightMin: 1, inFlightMax: 10 })
  const reservations: Ticket[] = []
  for (let index = 0; index < 30; index++) {
    const reservation = gate.reserve('t', 'b', index * ADMISSION_DELAY_TARGET_MS)
    assert.ok(reservation)
    reservations.push(reservation)
  }
  const at = 30 * ADMISSION_DELAY_TARGET_MS
  const entered = reservations.filter((reservation) => gate.enter('t', 'b', at, reservation) !== undefined)
  assert.equal(entered.length, 20)
  assert.equal(gate.refused, 10)
})
