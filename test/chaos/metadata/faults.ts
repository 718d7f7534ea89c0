import { setTimeout as delay } from 'node:timers/promises'
import type { Chance } from '../seeded.ts'
import type { Service } from './services.ts'

/** One way to hurt what metadata runs on. When it has ended, all is whole again. */
export interface Fault {
  readonly name: string
  /** Nobody is left to answer until programs have been started, which takes as long as the machine does: requests may fail. */
  readonly outage?: boolean
  run(chance: Chance): Promise<void>
}

/** How long a fault lasts at most, in ms. */
export interface Lengths {
  /** A killed process stays away: from at once to so long. */
  readonly away: number
  /** A process, or a server, that stands still: from so long to so long. */
  readonly stoppedLeast: number
  readonly stopped: number
}

/** From nothing to longer than any lease; what waits for the only process there is waits a little longer still. */
export const LONG: Lengths = { away: 8000, stoppedLeast: 500, stopped: 12_000 }
/** For tests that others wait for. */
export const SHORT: Lengths = { away: 1500, stoppedLeast: 500, stopped: 3000 }
/** The same where another process takes over: it does, while one is stopped. */
export const SHORT_OF_SEVERAL: Lengths = { away: 500, stoppedLeast: 4500, stopped: 5500 }

/** Something stands still for a while, as a machine that is paused does: connections stay open, and nothing is answered. */
export function stopping(
  name: string,
  { stoppedLeast, stopped }: Lengths,
  pause: () => Promise<() => Promise<void>>,
): Fault {
  return {
    name,
    async run(chance) {
      const resume = await pause()
      await delay(chance.between(stoppedLeast, stopped))
      await resume()
    },
  }
}

/** @param killing called just before the process is killed */
export function processFaults(
  service: Service,
  lengths: Lengths,
  killing: () => Promise<void> = async () => undefined,
): Fault[] {
  return [
    {
      name: `kill -9 of ${service.name}`,
      async run(chance) {
        await killing()
        await service.kill()
        await delay(chance.between(0, lengths.away))
        await service.start()
      },
    },
    stopping(`SIGSTOP of ${service.name}`, lengths, async () => {
      service.pause()
      return async () => {
        service.resume()
      }
    }),
  ]
}

/** Nobody is left who could take over: what they owned is theirs again, once it is sure that those before them are gone. */
export function allKilled(services: readonly Service[], lengths: Lengths): Fault {
  return {
    name: `kill -9 of all ${services.length} metadata processes at once`,
    outage: true,
    async run(chance) {
      await Promise.all(services.map((service) => service.kill()))
      await delay(chance.between(0, lengths.away / 2))
      await Promise.all(services.map((service) => service.start()))
    },
  }
}

/** Every fault once, in an order of chance. */
export function inAnyOrder<T>(chance: Chance, faults: readonly T[]): T[] {
  return faults
    .map((fault) => ({ fault, at: chance.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ fault }) => fault)
}
