import { setTimeout as delay } from 'node:timers/promises'
import { type Counter, type Kind, KINDS } from './counter.ts'
import type { Keys } from './keys.ts'
import type { Target } from './target.ts'

const FILL_AT_ONCE = 16
const TICK_MS = 5
const LOOK_MS = 250

/** Requests a second of each kind, all prefixes together. */
export type Offer = Readonly<Record<Kind, number>>

/** The bucket, and the keys that are read. @param perSecond at most, so that what prepares a measurement is no load */
export async function fill(target: Target, keys: Keys, perSecond: number): Promise<void> {
  await target.prepare()
  const left = [...keys.read]
  const beganMs = performance.now()
  const lane = async (): Promise<void> => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      const dueMs = beganMs + ((keys.read.length - left.length) / perSecond) * 1000
      await delay(Math.max(0, dueMs - performance.now()))
      await target.fill(key)
    }
  }
  await Promise.all(Array.from({ length: FILL_AT_ONCE }, lane))
}

/** Requests at a rate, whatever is answered; counted while they are made. @returns how many could not be made, since too many were unanswered */
export async function openLoop(
  target: Target,
  keys: Keys,
  offer: Offer,
  seconds: number,
  counter: Counter,
): Promise<number> {
  const sent = { writes: 0, reads: 0 }
  const open = { writes: 0, reads: 0 }
  let skipped = 0
  const all = new Set<Promise<void>>()
  counter.begin()
  const looking = look(target, seconds, counter)
  while (counter.elapsedMs < seconds * 1000) {
    for (const kind of KINDS) {
      const due = Math.floor((counter.elapsedMs / 1000) * offer[kind])
      for (; sent[kind] < due; sent[kind]++) {
        if (open[kind] >= target.atOnce) {
          skipped++
          continue
        }
        open[kind]++
        const request = target.ask(kind, keys.next(kind), counter).then(() => {
          open[kind]--
          all.delete(request)
        })
        all.add(request)
      }
    }
    await delay(TICK_MS)
  }
  counter.end()
  await Promise.all([...all, looking])
  return skipped
}

/** Clients that each wait for their answer before they ask again. */
export async function closedLoop(
  target: Target,
  keys: Keys,
  clients: Readonly<Record<Kind, number>>,
  seconds: number,
  counter: Counter,
): Promise<void> {
  const lane = async (kind: Kind): Promise<void> => {
    while (counter.elapsedMs < seconds * 1000) await target.ask(kind, keys.next(kind), counter)
  }
  counter.begin()
  const lanes = KINDS.flatMap((kind) => Array.from({ length: clients[kind] }, () => lane(kind)))
  await Promise.all([...lanes, look(target, seconds, counter)])
  counter.end()
}

/** Looks at the partition map now and then. */
async function look(target: Target, seconds: number, counter: Counter): Promise<void> {
  while (counter.elapsedMs < seconds * 1000) {
    counter.partitions(await target.partitions())
    await delay(LOOK_MS)
  }
}
