import type { EngineEntry } from '../../engine/engine.ts'
import { BackupDamagedError } from './frame.ts'

/** Bytes before each entry: 32 bits of the key's length and 32 of the value's. */
const LENGTHS_BYTES = 8

export function packedBytes({ key, value }: EngineEntry): number {
  return LENGTHS_BYTES + key.length + value.length
}

/** Entries one after another: length of the key, length of the value, key, value. */
export function packEntries(entries: readonly EngineEntry[]): Uint8Array {
  let length = 0
  for (const entry of entries) length += packedBytes(entry)
  const packed = new Uint8Array(length)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const { key, value } of entries) {
    view.setUint32(at, key.length)
    view.setUint32(at + 4, value.length)
    packed.set(key, at + LENGTHS_BYTES)
    packed.set(value, at + LENGTHS_BYTES + key.length)
    at += LENGTHS_BYTES + key.length + value.length
  }
  return packed
}

/** The entries, as views of `packed`. @throws {BackupDamagedError} */
export function unpackEntries(packed: Uint8Array): EngineEntry[] {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const entries: EngineEntry[] = []
  let at = 0
  while (at < packed.length) {
    if (at + LENGTHS_BYTES > packed.length) throw misshapen()
    const value = at + LENGTHS_BYTES + view.getUint32(at)
    const end = value + view.getUint32(at + 4)
    if (end > packed.length) throw misshapen()
    entries.push({ key: packed.subarray(at + LENGTHS_BYTES, value), value: packed.subarray(value, end) })
    at = end
  }
  return entries
}

function misshapen(): BackupDamagedError {
  return new BackupDamagedError('packed entries do not end where they should')
}
