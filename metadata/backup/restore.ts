import { create } from '@bufbuild/protobuf'
import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import { restoringKey, SPACE } from '../../core/keyspace/keys.ts'
import { ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import { RestoreSpanSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Random } from '../../runtime/ports/random.ts'
import { type Engine, type EngineEntry, type Fence, FencedError } from '../engine/engine.ts'
import { Rewriter } from './rewrite.ts'
import { EVERYTHING } from './snapshot-pages.ts'

/** The engine holds something, or somebody else restores into it at the same moment. Nothing of what it holds was changed. */
export class EngineNotEmptyError extends Error {
  override readonly name = 'EngineNotEmptyError'
}

export interface RestoreRequest {
  /** In order of key; any number of engines one after another. */
  readonly entries: AsyncIterable<readonly EngineEntry[]>
  /** The moment that they show, Unix milliseconds by the clock of the metadata they came from. */
  readonly backupMs: number
  /** Now. */
  readonly restoredMs: number
  /** What they were read from, for people. */
  readonly source: string
  readonly random: Random
  readonly progress?: (entries: number) => void
}

const MARKER_BYTES = 16

/**
 * Fills an empty engine from a backup. Until the last batch it holds a marker ({@link restoringKey}) by which each batch is fenced:
 * no service starts on what is half restored (openFormat), and two restores at once do not mix. One that was cut short is
 * begun anew over what it left.
 * @returns entries written
 * @throws {EngineNotEmptyError}
 * @throws {FencedError} another restore took the engine over
 */
export async function restoreInto(engine: Engine, request: RestoreRequest): Promise<number> {
  const { entries, backupMs, restoredMs, source, random, progress = () => undefined } = request
  const fence = await takeEngine(engine, random)
  const rewriter = new Rewriter()
  const batches = new EngineFiller(engine, fence)
  for await (const chunk of entries) {
    for (const entry of chunk) {
      const written = rewriter.entry(entry)
      if (written !== undefined) await batches.put(written)
    }
    progress(batches.entries)
  }
  await batches.flush()
  const span = create(RestoreSpanSchema, {
    backupMs: BigInt(backupMs),
    restoredMs: BigInt(restoredMs),
    source,
  })
  await engine.commit({ fence, puts: rewriter.end(span), deletes: [fence.key] })
  return batches.entries
}

/**
 * Marks the engine as being restored, and sees that nothing else is there.
 * @returns the fence of every batch until the end, which deletes its key
 * @throws {EngineNotEmptyError}
 */
export async function takeEngine(engine: Engine, random: Random): Promise<Fence> {
  const before = await engine.get(restoringKey)
  const token = random.bytes(MARKER_BYTES)
  const fence = { key: restoringKey, token }
  try {
    await engine.commit({
      fence: { key: restoringKey, token: before },
      puts: [{ key: restoringKey, value: token }],
      deletes: [],
    })
  } catch (error) {
    if (!(error instanceof FencedError)) throw error
    throw new EngineNotEmptyError('another restore into this engine has just begun')
  }
  // Looked at after the marker is there: a service that starts meanwhile looks for the marker after it has written.
  if (before !== undefined) await wipe(engine, fence)
  else if ((await someEntries(engine)).length > 0) {
    await engine.commit({ fence, puts: [], deletes: [restoringKey] })
    throw new EngineNotEmptyError('the engine is not empty: metadata is restored into an empty one only')
  }
  return fence
}

/** What an interrupted restore has left. */
async function wipe(engine: Engine, fence: Fence): Promise<void> {
  for (;;) {
    const found = await someEntries(engine)
    if (found.length === 0) return
    const most = engine.limits.operations
    for (let at = 0; at < found.length; at += most) {
      await engine.commit({ fence, puts: [], deletes: found.slice(at, at + most).map(({ key }) => key) })
    }
  }
}

/** The first entries beside the marker and the engine's own id; none if that is all there is. */
async function someEntries(engine: Engine): Promise<EngineEntry[]> {
  let gte: Uint8Array = EVERYTHING.gte
  for (;;) {
    const entries = await engine.scan({ gte, lt: EVERYTHING.lt, limit: ENGINE_SCAN_ENTRIES_MAX })
    const others = entries.filter(
      ({ key }) => key[0] !== SPACE.engineId && compareBytes(key, restoringKey) !== 0,
    )
    const last = entries.at(-1)
    if (others.length > 0 || last === undefined) return others
    gte = next(last.key)
  }
}

/** Gathers entries into batches as large as the engine takes. */
export class EngineFiller {
  readonly #engine: Engine
  readonly #fence: Fence
  #pending: EngineEntry[] = []
  #bytes = 0
  #entries = 0

  constructor(engine: Engine, fence: Fence) {
    this.#engine = engine
    this.#fence = fence
  }

  get entries(): number {
    return this.#entries
  }

  async put(entry: EngineEntry): Promise<void> {
    const { operations, bytes } = this.#engine.limits
    const more = entry.key.length + entry.value.length
    if (this.#pending.length >= operations || this.#bytes + more > bytes) await this.flush()
    this.#pending.push(entry)
    this.#bytes += more
    this.#entries++
  }

  async flush(): Promise<void> {
    if (this.#pending.length === 0) return
    await this.#engine.commit({ fence: this.#fence, puts: this.#pending, deletes: [] })
    this.#pending = []
    this.#bytes = 0
  }
}
