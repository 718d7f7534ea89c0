/** Says of one unsynced thing whether it survives a power cut; called in a fixed order, so a seed repeats it. */
export type Survival = () => boolean

/** What a disk writes or loses as one: the smallest unit in the field. */
const SECTOR_BYTES = 512
const FIRST_BYTES = 4 * 1024

/** Bytes of one file: what a reader sees, and what of it is on the medium. See memory-disk.ts. */
export class MemoryFile {
  #now = new Grown()
  #durable = new Grown()
  /** Sectors written since the last sync; a failed sync empties it without making them durable. */
  readonly #unsynced = new Set<number>()
  #sizeUnsynced = false

  get size(): number {
    return this.#now.size
  }

  contents(): Uint8Array {
    return this.#now.bytes().slice()
  }

  read(into: Uint8Array, position: number): number {
    const bytes = this.#now.bytes().subarray(position, position + into.byteLength)
    into.set(bytes)
    return bytes.byteLength
  }

  write(buffers: readonly Uint8Array[], position: number): void {
    let offset = position
    for (const buffer of buffers) {
      this.#now.write(buffer, offset)
      offset += buffer.byteLength
    }
    this.#touch(position, offset)
  }

  truncate(size: number): void {
    const from = Math.min(size, this.#now.size)
    this.#touch(from, Math.max(size, this.#now.size))
    this.#now.resize(size)
    this.#sizeUnsynced = true
  }

  sync(): void {
    for (const sector of this.#unsynced) this.#settle(this.#durable, sector)
    if (this.#unsynced.size > 0 || this.#sizeUnsynced) this.#durable.resize(this.#now.size)
    this.forgetUnsynced()
  }

  /** After a failed sync the system calls its pages clean: readers see them, the medium never will. */
  forgetUnsynced(): void {
    this.#unsynced.clear()
    this.#sizeUnsynced = false
  }

  corrupt(position: number, mask: number): void {
    this.#now.flip(position, mask)
    this.#durable.flip(position, mask)
  }

  /** The same file, to be changed apart. */
  copy(): MemoryFile {
    const file = new MemoryFile()
    file.#now = this.#now.copy()
    file.#durable = this.#durable.copy()
    for (const sector of this.#unsynced) file.#unsynced.add(sector)
    file.#sizeUnsynced = this.#sizeUnsynced
    return file
  }

  /** A file of what is on the medium once the power is back. */
  afterPowerCut(survives: Survival): MemoryFile {
    const durable = this.#durable.copy()
    const before = durable.size
    let end = before
    for (const sector of [...this.#unsynced].toSorted((a, b) => a - b)) {
      if (!survives()) continue
      this.#settle(durable, sector)
      end = Math.max(end, durable.size)
    }
    // The length is a thing of its own in the journal: it may be kept without the data (zeros), or the reverse.
    if (this.#now.size !== before && survives()) end = this.#now.size
    durable.resize(end)
    const file = new MemoryFile()
    file.#now = durable.copy()
    file.#durable = durable
    return file
  }

  #touch(start: number, end: number): void {
    for (let sector = Math.floor(start / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) {
      this.#unsynced.add(sector)
    }
  }

  #settle(target: Grown, sector: number): void {
    const start = sector * SECTOR_BYTES
    const bytes = this.#now.bytes().subarray(start, start + SECTOR_BYTES)
    if (bytes.byteLength > 0) target.write(bytes, start)
  }
}

/** Bytes that grow; what lies between the end and a later write is zero. */
class Grown {
  size = 0
  #room = new Uint8Array(FIRST_BYTES)

  bytes(): Uint8Array {
    return this.#room.subarray(0, this.size)
  }

  write(data: Uint8Array, position: number): void {
    this.#reserve(position + data.byteLength)
    this.#room.set(data, position)
    this.size = Math.max(this.size, position + data.byteLength)
  }

  resize(size: number): void {
    this.#reserve(size)
    if (size < this.size) this.#room.fill(0, size, this.size)
    this.size = size
  }

  flip(position: number, mask: number): void {
    if (position < this.size) this.#room[position] = (this.#room[position] ?? 0) ^ mask
  }

  copy(): Grown {
    const copy = new Grown()
    copy.write(this.bytes(), 0)
    return copy
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#room.byteLength) return
    const room = new Uint8Array(Math.max(bytes, this.#room.byteLength * 2))
    room.set(this.bytes())
    this.#room = room
  }
}
