import { SEGMENT_FILES_OPEN_MAX } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Disk, DiskFile } from '../../runtime/ports/disk.ts'
import { encodeSegmentHeader, type SegmentHeader } from './format.ts'

const SEGMENTS_FOLDER = 'segments'
const NAME = /^(\d{10})\.seg$/

export function segmentPath(number: number): string {
  return `${SEGMENTS_FOLDER}/${String(number).padStart(10, '0')}.seg`
}

interface Opened {
  readonly file: Promise<DiskFile>
  users: number
  /** Closed by the last user: it was removed, or the folder is closing. */
  doomed: boolean
}

/** The segment files of a node: opened on demand, kept open while there is room. */
export class SegmentFiles {
  readonly #disk: Disk
  /** In order of last use. */
  readonly #opened = new Map<number, Opened>()

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Numbers of the segments, ascending; makes the folder if there is none. */
  async list(): Promise<number[]> {
    await this.#disk.makeDirectory(SEGMENTS_FOLDER)
    await this.#disk.syncDirectory('')
    const names = await this.#disk.list(SEGMENTS_FOLDER)
    return names.flatMap((name) => {
      const match = NAME.exec(name)
      return match === null ? [] : [Number(match[1])]
    })
  }

  /** Makes a segment of nothing but its header: durable, its name included, once this resolves. */
  async create(header: SegmentHeader): Promise<void> {
    const path = segmentPath(header.number)
    const file = await this.#disk.open(path, { create: true })
    try {
      await file.write([encodeSegmentHeader(header)], 0)
      await file.sync()
      await this.#disk.syncDirectory(SEGMENTS_FOLDER)
    } catch (error) {
      await file.close()
      // What is left of it would be found and removed at the next start; a probe of a full disk must not pile them up.
      await this.#disk.remove(path).catch(() => undefined)
      throw error
    }
    this.#opened.set(header.number, { file: Promise.resolve(file), users: 0, doomed: false })
    await this.#closeSurplus()
  }

  /** Runs `action` with the file open; it stays open, and its bytes readable, until the action ends. */
  async use<T>(number: number, action: (file: DiskFile) => Promise<T>): Promise<T> {
    const opened = this.#opened.get(number) ?? this.#open(number)
    this.#opened.delete(number)
    this.#opened.set(number, opened)
    opened.users++
    try {
      return await action(await opened.file)
    } finally {
      opened.users--
      if (opened.doomed) await closeUnused(opened)
      else if (this.#opened.size > SEGMENT_FILES_OPEN_MAX) await this.#closeSurplus()
    }
  }

  /**
   * Removes a segment, if it is there; its absence is durable once this resolves. Reads that have started still end well.
   */
  async remove(number: number): Promise<void> {
    try {
      await this.#disk.remove(segmentPath(number))
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
    await this.#disk.syncDirectory(SEGMENTS_FOLDER)
    await this.#forget(number)
  }

  /**
   * Whether the segment can still be found by its name. One that cannot is not used any more: what is open of it ends with
   * the process.
   */
  async look(number: number): Promise<boolean> {
    try {
      const file = await this.#disk.open(segmentPath(number))
      await file.close()
      return true
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      await this.#forget(number)
      return false
    }
  }

  async close(): Promise<void> {
    for (const number of this.#opened.keys()) await this.#forget(number)
  }

  #open(number: number): Opened {
    const opened = { file: this.#disk.open(segmentPath(number)), users: 0, doomed: false }
    opened.file.catch(() => {
      if (this.#opened.get(number) === opened) this.#opened.delete(number)
    })
    return opened
  }

  async #forget(number: number): Promise<void> {
    const opened = this.#opened.get(number)
    if (opened === undefined) return
    this.#opened.delete(number)
    opened.doomed = true
    await closeUnused(opened)
  }

  async #closeSurplus(): Promise<void> {
    let surplus = this.#opened.size - SEGMENT_FILES_OPEN_MAX
    for (const [number, opened] of this.#opened) {
      if (surplus <= 0) return
      if (opened.users > 0) continue
      surplus--
      await this.#forget(number)
    }
  }
}

async function closeUnused(opened: Opened): Promise<void> {
  if (opened.users > 0) return
  const file = await opened.file.catch(() => undefined)
  await file?.close()
}
