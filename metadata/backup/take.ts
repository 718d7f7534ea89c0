import type { MetadataApi } from '../../proto/metadata-api.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import type { BackupHeader, BackupTrailer } from './format/documents.ts'
import { unpackEntries } from './format/entries.ts'
import { BackupWriter } from './format/writer.ts'

export interface TakeBackup {
  readonly api: MetadataApi
  /** Empty. */
  readonly file: Pick<DiskFile, 'write' | 'sync'>
  /** Version of the program. */
  readonly program: string
  readonly signal?: AbortSignal
  /** @param about bytes that there may be in all; 0: nobody knows */
  readonly progress?: (entries: number, bytes: number, about: number) => void
}

export interface TakenBackup {
  readonly header: BackupHeader
  readonly trailer: BackupTrailer
  readonly fileBytes: number
}

/**
 * Writes what a running service holds, as of the moment of the call, to a file. When it resolves, the file is durable.
 * @throws {MetadataError}
 */
export async function takeBackup({ api, file, program, signal, progress }: TakeBackup): Promise<TakenBackup> {
  const opened = await api.call('openBackup', {}, signal)
  const { id, clusterId, recordFormat, engines } = opened
  const atMs = Number(opened.atMs)
  const header = {
    clusterId,
    program,
    atMs,
    at: new Date(atMs).toISOString(),
    recordFormat,
    engines,
    oneMoment: opened.oneMoment || engines.length === 1,
    heldMs: Number(opened.heldMs),
  }
  try {
    const writer = await BackupWriter.start(file, header)
    let read = 0
    for (const engine of engines.keys()) {
      let after: Uint8Array = new Uint8Array()
      for (;;) {
        const { entries: packed } = await api.call('readBackup', { id, engine, after }, signal)
        const entries = unpackEntries(packed)
        const last = entries.at(-1)
        if (last === undefined) break
        await writer.add(engine, entries)
        after = last.key
        read += packed.length
        progress?.(writer.entries, read, Number(opened.bytes))
      }
    }
    const trailer = await writer.end()
    return { header, trailer, fileBytes: writer.fileBytes }
  } finally {
    // It would be closed by itself, a while later.
    await api.call('closeBackup', { id }).catch(() => undefined)
  }
}
