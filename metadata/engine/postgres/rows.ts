import type { EngineEntry } from '../engine.ts'

/** A column of type bytea. @throws {TypeError} */
export function byteaOf(cell: unknown): Uint8Array {
  if (cell instanceof Uint8Array) return cell
  throw new TypeError('PostgreSQL answered with no bytea where one was asked for')
}

/** Rows of key and value. */
export function entriesOf(rows: readonly (readonly unknown[])[]): EngineEntry[] {
  return rows.map(([key, value]) => ({ key: byteaOf(key), value: byteaOf(value) }))
}
