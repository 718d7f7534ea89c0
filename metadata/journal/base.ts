import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import type { BackupHeader, BackupTrailer } from '../backup/format/documents.ts'
import { BackupWriter } from '../backup/format/writer.ts'
import type { SnapshotPages } from '../backup/snapshot-pages.ts'
import type { Copies } from './copies.ts'
import { FIRST_STRIPE } from './listing.ts'

/** A base is the file of a backup, cut into stripes. */
export interface WrittenBase {
  readonly trailer: BackupTrailer
  readonly fileBytes: number
}

/**
 * Copies a snapshot to nodes. Memory: some chunks; no faster than the nodes take it.
 * @throws {Error} too few nodes take it
 * @throws {SnapshotLostError}
 */
export async function writeBase(
  copies: Pick<Copies, 'putStripe'>,
  blob: string,
  header: BackupHeader,
  pages: SnapshotPages,
  signal: AbortSignal,
): Promise<WrittenBase> {
  const writer = await BackupWriter.start(new StripedFile(copies, blob), header)
  let after: Uint8Array = new Uint8Array()
  for (;;) {
    signal.throwIfAborted()
    const page = await pages.read(after)
    const last = page.at(-1)
    if (last === undefined) break
    await writer.add(0, page)
    after = last.key
  }
  const trailer = await writer.end()
  return { trailer, fileBytes: writer.fileBytes }
}

/** Takes what is written from start to end, and puts it in stripes of the largest size. */
class StripedFile {
  readonly #copies: Pick<Copies, 'putStripe'>
  readonly #blob: string
  #pending: Uint8Array[] = []
  #bytes = 0
  #stripe = FIRST_STRIPE

  constructor(copies: Pick<Copies, 'putStripe'>, blob: string) {
    this.#copies = copies
    this.#blob = blob
  }

  async write(buffers: readonly Uint8Array[]): Promise<void> {
    for (const buffer of buffers) {
      this.#pending.push(buffer.slice())
      this.#bytes += buffer.length
    }
    while (this.#bytes >= SHARD_BYTES_MAX) await this.#put()
  }

  /** The last stripe. */
  async sync(): Promise<void> {
    if (this.#bytes > 0) await this.#put()
  }

  async #put(): Promise<void> {
    const all = Buffer.concat(this.#pending)
    const rest = all.subarray(SHARD_BYTES_MAX)
    this.#pending = rest.length === 0 ? [] : [rest]
    this.#bytes = rest.length
    await this.#copies.putStripe(this.#blob, this.#stripe++, all.subarray(0, SHARD_BYTES_MAX), 0)
  }
}
