/**
 * A disk in memory that behaves as badly as POSIX lets a real one: what was not synced may be lost, kept or torn at a
 * power cut, sector by sector and in any order; entries of folders survive only a sync of the folder; a sync that
 * failed has dropped what it should have written, however often it is repeated (fsyncgate).
 */
import type { Disk, DiskFile } from '../ports/disk.ts'
import { MemoryFile, type Survival } from './memory-file.ts'

/** What the disk is about to do. `index` counts operations that change it or make it durable, from 0. */
export interface DiskOperation {
  readonly index: number
  readonly kind: 'create' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncDirectory' | 'read'
  readonly path: string
  /** Bytes to write or read; 0 for the others. */
  readonly bytes: number
}

export interface MemoryDiskOptions {
  /** Bytes of all files at which writes fail with ENOSPC, the bytes that still fit being written. No limit without it. */
  readonly capacityBytes?: number
  /**
   * Called before every operation. May wait (a slow disk) or throw (see {@link diskError}): the operation then fails
   * with it and does nothing, except that a failed sync drops what it was to make durable.
   */
  readonly before?: (operation: DiskOperation) => Promise<void> | void
}

/** An error as node:fs gives it. */
export function diskError(code: string, message = code): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

export class MemoryDisk implements Disk {
  /** Writes beyond this fail with ENOSPC; may be changed at any time. */
  capacityBytes: number
  before: ((operation: DiskOperation) => Promise<void> | void) | undefined
  /** Called before every read, with the stretch that is to be read; may throw. */
  beforeRead: ((path: string, position: number, bytes: number) => void) | undefined
  readonly #files = new Map<string, MemoryFile>()
  /** What a power cut leaves of the names: files whose folder was synced since they appeared. */
  readonly #durableNames = new Map<string, MemoryFile>()
  readonly #folders = new Set([''])
  #operations = 0
  #powered = true
  #crashAt = Infinity
  /** The writes that have begun and not ended: a power cut may tear them. */
  readonly #writing = new Set<{
    readonly file: MemoryFile
    readonly buffers: readonly Uint8Array[]
    readonly position: number
  }>()

  constructor(options: MemoryDiskOptions = {}) {
    this.capacityBytes = options.capacityBytes ?? Infinity
    this.before = options.before
  }

  /** How many operations have changed the disk or made it durable so far. */
  get operations(): number {
    return this.#operations
  }

  /** False from the power cut on: every operation fails with EIO. */
  get powered(): boolean {
    return this.#powered
  }

  /** Cuts the power when operation `index` starts; a write that starts then may be torn. */
  cutPowerAt(index: number): void {
    this.#crashAt = index
  }

  /** Cuts the power now. */
  cutPower(): void {
    this.#powered = false
  }

  /**
   * The disk as it is found once power is back; this one stays dead. `survives` decides, for each unsynced sector
   * of a file and each unsynced name of a folder, whether it made it.
   */
  restart(survives: Survival = () => false): MemoryDisk {
    this.#powered = false
    return this.afterPowerCut(survives)
  }

  /** The disk as it would be found if the power were cut now, in the middle of what it is about to do; this one goes on. */
  afterPowerCut(survives: Survival = () => false): MemoryDisk {
    const torn = new Map<MemoryFile, MemoryFile>()
    for (const { file, buffers, position } of this.#writing) {
      const copy = torn.get(file) ?? file.copy()
      copy.write(buffers, position)
      torn.set(file, copy)
    }
    const next = new MemoryDisk({ capacityBytes: this.capacityBytes })
    for (const folder of this.#folders) next.#folders.add(folder)
    const survivors = new Map<MemoryFile, MemoryFile>()
    const paths = new Set([...this.#files.keys(), ...this.#durableNames.keys()])
    for (const path of [...paths].toSorted()) {
      const now = this.#files.get(path)
      const durable = this.#durableNames.get(path)
      const file = now === durable || !survives() ? durable : now
      if (file === undefined) continue
      const copy = survivors.get(file) ?? (torn.get(file) ?? file).afterPowerCut(survives)
      survivors.set(file, copy)
      next.#files.set(path, copy)
      next.#durableNames.set(path, copy)
    }
    return next
  }

  /** Flips the bits of `mask` in one byte, on the medium as in the cache. */
  corrupt(path: string, position: number, mask = 0x01): void {
    this.#file(path).corrupt(position, mask)
  }

  /** The bytes of a file as a reader sees them now. */
  contents(path: string): Uint8Array {
    return this.#file(path).contents()
  }

  async open(path: string, options?: { readonly create?: boolean }): Promise<DiskFile> {
    if (options?.create !== true) {
      this.#requirePower()
      return this.#handle(path, this.#file(path))
    }
    await this.#begin('create', path)
    if (!this.#folders.has(folderOf(path))) throw diskError('ENOENT', path)
    if (this.#files.has(path)) throw diskError('EEXIST', path)
    const file = new MemoryFile()
    this.#files.set(path, file)
    return this.#handle(path, file)
  }

  /** Folders are durable at once: nothing that is tested depends on losing one. */
  async makeDirectory(path: string): Promise<void> {
    this.#requirePower()
    const parts = path.split('/')
    for (let i = 1; i <= parts.length; i++) this.#folders.add(parts.slice(0, i).join('/'))
  }

  async list(path: string): Promise<string[]> {
    this.#requirePower()
    if (!this.#folders.has(path)) throw diskError('ENOENT', path)
    const names = [...this.#files.keys(), ...this.#folders]
      .filter((one) => one !== path && one !== '' && folderOf(one) === path)
      .map((one) => one.slice(path === '' ? 0 : path.length + 1))
    return names.toSorted()
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('rename', from)
    const file = this.#file(from)
    this.#files.delete(from)
    this.#files.set(to, file)
  }

  async remove(path: string): Promise<void> {
    await this.#begin('remove', path)
    this.#file(path)
    this.#files.delete(path)
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#begin('syncDirectory', path)
    for (const name of this.#durableNames.keys()) {
      if (folderOf(name) === path && !this.#files.has(name)) this.#durableNames.delete(name)
    }
    for (const [name, file] of this.#files) {
      if (folderOf(name) === path) this.#durableNames.set(name, file)
    }
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    this.#requirePower()
    const totalBytes = Math.min(this.capacityBytes, Number.MAX_SAFE_INTEGER)
    return { freeBytes: Math.max(0, totalBytes - this.#usedBytes()), totalBytes }
  }

  #handle(path: string, file: MemoryFile): DiskFile {
    return {
      size: async () => {
        this.#requirePower()
        return file.size
      },
      read: async (into, position) => {
        await this.#begin('read', path, into.byteLength)
        this.beforeRead?.(path, position, into.byteLength)
        return file.read(into, position)
      },
      write: async (buffers, position) => {
        const bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0)
        this.#requirePower()
        const writing = { file, buffers, position }
        this.#writing.add(writing)
        try {
          await this.#begin('write', path, bytes)
        } catch (error) {
          // The caller's buffers are its own again.
          const copies = buffers.map((each) => each.slice())
          if (!this.#powered) this.#writing.add({ file, position, buffers: copies })
          throw error
        } finally {
          this.#writing.delete(writing)
        }
        const room = this.capacityBytes - this.#usedBytes() + file.size
        if (position + bytes > Math.max(room, file.size)) {
          const whole = Buffer.concat(buffers)
          file.write([whole.subarray(0, Math.max(0, room - position))], position)
          throw diskError('ENOSPC', path)
        }
        file.write(buffers, position)
      },
      sync: async () => {
        try {
          await this.#begin('sync', path)
        } catch (error) {
          if (this.#powered) file.forgetUnsynced()
          throw error
        }
        file.sync()
      },
      truncate: async (size) => {
        await this.#begin('truncate', path)
        file.truncate(size)
      },
      close: async () => {},
    }
  }

  async #begin(kind: DiskOperation['kind'], path: string, bytes = 0): Promise<void> {
    this.#requirePower()
    const index = this.#operations
    if (kind !== 'read') this.#operations++
    if (index >= this.#crashAt && kind !== 'read') this.#powered = false
    this.#requirePower()
    await this.before?.({ index, kind, path, bytes })
    this.#requirePower()
  }

  #requirePower(): void {
    if (!this.#powered) throw diskError('EIO', 'the power is cut')
  }

  #file(path: string): MemoryFile {
    const file = this.#files.get(path)
    if (file === undefined) throw diskError('ENOENT', path)
    return file
  }

  #usedBytes(): number {
    let bytes = 0
    for (const file of this.#files.values()) bytes += file.size
    return bytes
  }
}
