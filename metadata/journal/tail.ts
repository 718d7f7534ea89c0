import {
  journalPositionKey,
  journalTailKey,
  journalTailSpace,
  readJournalTailKey,
} from '../../core/keyspace/journal-keys.ts'
import { ENGINE_SCAN_ENTRIES_MAX, JOURNAL_CATCH_UP_BYTES_MAX } from '../../core/limits.ts'
import { packEntries, packedBytes, unpackEntries } from '../backup/format/entries.ts'
import { type Engine, type EngineBatch, type EngineEntry, FencedError } from '../engine/engine.ts'
import { keyName } from '../engine/key-name.ts'
import { type Generation, sameGeneration } from './blob-id.ts'
import type { JournalBatch } from './segment.ts'

/** A segment that is on nodes, by its generation and sequence. */
export interface JournalPosition extends Generation {
  readonly sequence: number
}

export interface KeptPosition extends JournalPosition {
  /** No generation that was begun has a later number, as far as was known. */
  readonly numberMax: number
}

/** How a journal goes on after a start. */
export interface Resume extends KeptPosition {
  /** What makes of the state at that segment the state of the engine at the start. */
  readonly catchUp: readonly JournalBatch[]
  /** Of the batches that it stands for. */
  readonly numbers: readonly number[]
}

export interface MarkedBatch {
  readonly number: number
  readonly batch: EngineBatch
}

const NOTHING = new Uint8Array()

/** Operations and bytes that a batch leaves to the removal of the position. */
const RESERVED = { operations: 1, bytes: 64 }

/** Keys of one batch of a catch-up: few enough for any engine. */
const CATCH_UP_KEYS = 256

/**
 * What the engine itself knows of the journal, written with each batch: a segment that is on nodes, and of every batch since the keys
 * that it changed. So a process that starts goes on where the journal ends: the present values of those keys are what the journal lacks.
 *
 * As long as the position is there, every batch that is not in the journal up to it has its keys noted. A batch whose keys are not noted,
 * for the journal has a gap anyway or there is no room in the batch, removes the position with its own write.
 */
export class Tail {
  readonly #engine: Engine
  #next: number
  /** What may be in the engine. */
  #position: JournalPosition | undefined
  /** Batches under way, or that are not on nodes, whose keys are not noted. */
  readonly #unnoted = new Set<number>()
  /** Batches that are on nodes, whose keys are still noted. */
  #shipped: number[] = []
  /** Whatever is noted up to here is not needed. */
  #staleTo: number
  /** Positions of generations before that number have a gap behind them. */
  #numberMin = 0

  private constructor(engine: Engine, next: number, position: JournalPosition | undefined) {
    this.#engine = engine
    this.#next = next
    this.#position = position
    this.#staleTo = position === undefined ? next - 1 : -1
  }

  /** Before anything is committed. Resume: undefined where a new base is needed. */
  static async open(engine: Engine): Promise<{ tail: Tail; resume: Resume | undefined }> {
    const kept = await readPosition(engine)
    const records = await readRecords(engine)
    const numbers = records.map(({ key }) => readJournalTailKey(key))
    const tail = new Tail(engine, (numbers.at(-1) ?? 0) + 1, kept)
    if (kept === undefined) return { tail, resume: undefined }
    const catchUp = await readCatchUp(engine, records)
    if (catchUp !== undefined) return { tail, resume: { ...kept, catchUp, numbers } }
    await tail.forget()
    return { tail, resume: undefined }
  }

  /** What callers may put into a batch. */
  get limits(): Engine['limits'] {
    const { operations, bytes } = this.#engine.limits
    return { operations: operations - RESERVED.operations, bytes: bytes - RESERVED.bytes }
  }

  /** The batch with what is to be written with it. @param followed whether the journal gets to know of it */
  mark(batch: EngineBatch, followed: boolean): MarkedBatch {
    const number = this.#next++
    const { puts, deletes } = batch
    const keys = [...puts.map(({ key }) => key), ...deletes]
    const record = {
      key: journalTailKey(number),
      value: packEntries(keys.map((key) => ({ key, value: NOTHING }))),
    }
    if (followed && this.#fits(batch, record)) return { number, batch: { ...batch, puts: [...puts, record] } }
    this.#unnoted.add(number)
    return { number, batch: { ...batch, deletes: [...deletes, journalPositionKey] } }
  }

  written(number: number): void {
    if (this.#unnoted.has(number)) this.#position = undefined
  }

  /** It was refused: nothing was written. */
  refused(number: number): void {
    this.#unnoted.delete(number)
  }

  /** A base has all that was committed, and the journal begins anew with it: nothing of before counts. */
  begun({ number }: Generation): void {
    this.#numberMin = number
    this.#unnoted.clear()
    this.#shipped = []
    this.#staleTo = this.#next - 1
  }

  /** Segments up to one are on nodes. @param numbers of the batches in them @throws what an engine throws; it is made good by the next */
  async settle(position: KeptPosition, numbers: readonly number[]): Promise<void> {
    this.#shipped.push(...numbers)
    for (const number of numbers) this.#unnoted.delete(number)
    const token = await this.#engine.get(journalPositionKey)
    // One that is marked from here on is written after this, and removes the position.
    if (this.#unnoted.size > 0 || position.number < this.#numberMin) return
    const shipped = this.#shipped
    const most = Math.floor(this.#engine.limits.operations / 2)
    const value = new TextEncoder().encode(JSON.stringify(position))
    await this.#engine.commit({
      fence: { key: journalPositionKey, token },
      puts: [{ key: journalPositionKey, value }],
      deletes: shipped.slice(0, most).map(journalTailKey),
    })
    this.#position = position
    // Others may have come meanwhile.
    this.#shipped = this.#shipped.slice(most)
    await this.#clear(value, most)
  }

  /** Whether the engine's position is of that generation, or there is none. */
  isIn(generation: Generation): boolean {
    return this.#position === undefined || sameGeneration(this.#position, generation)
  }

  /** From now on there is no position. @throws what an engine throws */
  async forget(): Promise<void> {
    await forgetPosition(this.#engine)
    this.#position = undefined
  }

  #fits({ puts, deletes }: EngineBatch, record: EngineEntry): boolean {
    const { operations, bytes } = this.#engine.limits
    if (puts.length + deletes.length + 1 > operations) return false
    let sum = record.key.length + record.value.length
    for (const { key, value } of puts) sum += key.length + value.length
    for (const key of deletes) sum += key.length
    return sum <= bytes
  }

  /** What is noted of batches that are on nodes, beyond what was removed with the position. */
  async #clear(token: Uint8Array, most: number): Promise<void> {
    const fence = { key: journalPositionKey, token }
    while (this.#shipped.length > 0) {
      const some = this.#shipped.slice(0, most)
      await this.#engine.commit({ fence, puts: [], deletes: some.map(journalTailKey) })
      this.#shipped = this.#shipped.slice(some.length)
    }
    while (this.#staleTo >= 0) {
      const found = await this.#engine.scan({ ...journalTailSpace(this.#staleTo), limit: most })
      if (found.length > 0) {
        await this.#engine.commit({ fence, puts: [], deletes: found.map(({ key }) => key) })
      }
      if (found.length < most) this.#staleTo = -1
    }
  }
}

/** For an engine that is used without a journal: what is committed then is noted nowhere. */
export async function forgetPosition(engine: Engine): Promise<void> {
  for (;;) {
    const token = await engine.get(journalPositionKey)
    if (token === undefined) return
    try {
      await engine.commit({
        fence: { key: journalPositionKey, token },
        puts: [],
        deletes: [journalPositionKey],
      })
    } catch (error) {
      if (!(error instanceof FencedError)) throw error
    }
  }
}

async function readPosition(engine: Engine): Promise<KeptPosition | undefined> {
  const bytes = await engine.get(journalPositionKey)
  if (bytes === undefined) return undefined
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it is what settle wrote
  return JSON.parse(new TextDecoder().decode(bytes)) as KeptPosition
}

async function readRecords(engine: Engine): Promise<EngineEntry[]> {
  const records: EngineEntry[] = []
  const { gte: first, lt } = journalTailSpace()
  for (let gte = first; ;) {
    const page = await engine.scan({ gte, lt, limit: ENGINE_SCAN_ENTRIES_MAX })
    records.push(...page)
    const last = page.at(-1)
    if (last === undefined || page.length < ENGINE_SCAN_ENTRIES_MAX) return records
    gte = journalTailKey(readJournalTailKey(last.key) + 1)
  }
}

/** Undefined: it is too much. */
async function readCatchUp(
  engine: Engine,
  records: readonly EngineEntry[],
): Promise<JournalBatch[] | undefined> {
  const keys = new Map<string, Uint8Array>()
  for (const { value } of records) {
    for (const { key } of unpackEntries(value)) keys.set(keyName(key), key)
  }
  const batches: { puts: EngineEntry[]; deletes: Uint8Array[] }[] = []
  let bytes = 0
  let inLast = CATCH_UP_KEYS
  for (const key of keys.values()) {
    const value = await engine.get(key)
    bytes += packedBytes({ key, value: value ?? NOTHING })
    if (bytes > JOURNAL_CATCH_UP_BYTES_MAX) return undefined
    if (inLast++ >= CATCH_UP_KEYS) {
      batches.push({ puts: [], deletes: [] })
      inLast = 1
    }
    if (value === undefined) batches.at(-1)?.deletes.push(key)
    else batches.at(-1)?.puts.push({ key, value })
  }
  return batches
}
