import { create } from '@bufbuild/protobuf'
import { compareBytes, next } from '../../core/keyspace/bytes.ts'
import { restoringKey, SPACE } from '../../core/keyspace/keys.ts'
import { ENGINE_SCAN_ENTRIES_MAX } from '../../core/limits.ts'
import { RestoreSpanSchema } from '../../proto/gen/ashlar/v1/records_pb.js'
import type { Random } from '../../runtime/ports/random.ts'
import type { BackupHeader } from '../backup/format/documents.ts'
import { BackupDamagedError } from '../backup/format/frame.ts'
import { type BackupSource, checkBackup, readChunks } from '../backup/format/reader.ts'
import { EngineFiller, takeEngine } from '../backup/restore.ts'
import { Rewriter } from '../backup/rewrite.ts'
import { spaceTable } from '../backup/spaces.ts'
import type { Engine, Fence } from '../engine/engine.ts'
import type { Generation } from './blob-id.ts'
import type { Holdings } from './holdings.ts'
import { followingSegments } from './segments.ts'

/** The nodes that were asked have no whole base. */
export class NothingToRecoverError extends Error {
  override readonly name = 'NothingToRecoverError'
}

/** The newest that can be brought back. */
export interface RecoveryPoint {
  readonly header: BackupHeader
  readonly base: BackupSource
  readonly generation: Generation
  /** Bases that are newer and cannot be read, a sentence each. */
  readonly damaged: readonly string[]
}

/** @throws {NothingToRecoverError} */
export async function findRecoveryPoint(
  holdings: Holdings,
  progress: (bytes: number, of: number) => void = () => undefined,
): Promise<RecoveryPoint> {
  const damaged: string[] = []
  const whole = holdings.names.filter(({ kind }) => kind === 'complete')
  for (const name of whole.toSorted((left, right) => right.number - left.number)) {
    const baseName = { ...name, kind: 'base' } as const
    const base = holdings.source(baseName)
    try {
      if (!holdings.has(baseName)) throw new BackupDamagedError('no node that was asked has any of it')
      const { header } = await checkBackup(base, progress)
      return { header, base, generation: name, damaged }
    } catch (error) {
      if (!(error instanceof BackupDamagedError)) throw error
      damaged.push(`the base of ${new Date(name.number).toISOString()} cannot be used: ${error.message}`)
    }
  }
  throw new NothingToRecoverError(
    ['the storage nodes hold no whole copy of the metadata', ...damaged].join('; '),
  )
}

export interface RecoverRequest {
  readonly holdings: Holdings
  readonly point: RecoveryPoint
  /** Now, Unix milliseconds. */
  readonly nowMs: number
  readonly random: Random
  readonly progress?: (entries: number, segments: number) => void
}

export interface Recovered {
  /** Everything that was committed up to here is there, Unix milliseconds by the clock of the metadata that was lost. */
  readonly untilMs: number
  readonly segments: number
}

/**
 * Fills an empty engine with a base and all segments that follow it without a gap, and settles it as a restore does.
 * @throws {EngineNotEmptyError}
 */
export async function recoverInto(engine: Engine, request: RecoverRequest): Promise<Recovered> {
  const { holdings, point, nowMs, random, progress = () => undefined } = request
  const fence = await takeEngine(engine, random)
  const filler = new EngineFiller(engine, fence)
  for await (const { entries } of readChunks(point.base)) {
    for (const entry of entries) await filler.put(entry)
    progress(filler.entries, 0)
  }
  await filler.flush()
  let untilMs = point.header.atMs
  let segments = 0
  for await (const { head, batches } of followingSegments(holdings, point.generation)) {
    for (const { puts, deletes } of batches) await engine.commit({ fence, puts, deletes })
    untilMs = head.toMs
    progress(filler.entries, ++segments)
  }
  const rewriter = await rewriteInPlace(engine, fence)
  const span = create(RestoreSpanSchema, {
    backupMs: BigInt(untilMs),
    restoredMs: BigInt(nowMs),
    source: 'the copy on the storage nodes',
  })
  await engine.commit({ fence, puts: rewriter.end(span), deletes: [fence.key] })
  return { untilMs, segments }
}

/** Makes of what a journal brought back what a restore makes of a file. A journal names keys as they were, so it comes first. */
async function rewriteInPlace(engine: Engine, fence: Fence): Promise<Rewriter> {
  const rewriter = new Rewriter()
  for (const [space, { treatment }] of spaceTable) {
    // What makes the engine this one and no other stays, or was never there.
    if (treatment === 'restored' || space === SPACE.engineId) continue
    let gte: Uint8Array = Uint8Array.of(space)
    for (;;) {
      const page = await engine.scan({ gte, lt: Uint8Array.of(space + 1), limit: PAGE_ENTRIES })
      const last = page.at(-1)
      if (last === undefined) break
      gte = next(last.key)
      const puts = []
      const deletes = []
      for (const entry of page) {
        if (compareBytes(entry.key, restoringKey) === 0) continue
        const isTask = space === SPACE.outbox || space === SPACE.repairOutbox
        if (isTask && rewriter.isOwnTask(entry.key)) continue
        const written = rewriter.entry(entry)
        if (written === undefined || compareBytes(written.key, entry.key) !== 0) deletes.push(entry.key)
        if (written !== undefined) puts.push(written)
      }
      await engine.commit({ fence, puts, deletes })
    }
  }
  return rewriter
}

/** Each of them may be a put and a delete of one batch. */
const PAGE_ENTRIES = Math.min(64, ENGINE_SCAN_ENTRIES_MAX)
