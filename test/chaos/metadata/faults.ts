import { setTimeout as delay } from 'node:timers/promises'
import type { Chance } from '../seeded.ts'
import type { Service } from './services.ts'

/** One way to hurt what metadata runs on. When it has ended, all is whole again. */
export interface Fault {
  readonly name: string
  run(chance: Chance): Promise<void>
}

/** How long a killed process stays away: from at once to longer than its lease. */
const AWAY_MS_MAX = 8000

/** Shorter and longer than a lease of metadata, and than the patience of those that wait for it. */
const STOPPED_MS_MAX = 12_000

export function processFaults(service: Service): Fault[] {
  return [
    {
      name: `kill -9 of ${service.name}`,
      async run(chance) {
        await service.kill()
        await delay(chance.between(0, AWAY_MS_MAX))
        await service.start()
      },
    },
    {
      name: `SIGSTOP of ${service.name}`,
      async run(chance) {
        service.pause()
        await delay(chance.between(500, STOPPED_MS_MAX))
        service.resume()
      },
    },
  ]
}

/** Every fault once, in an order of chance. */
export function inAnyOrder(chance: Chance, faults: readonly Fault[]): Fault[] {
  return faults
    .map((fault) => ({ fault, at: chance.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault)
}
