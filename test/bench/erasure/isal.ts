/**
 * Intel ISA-L's erasure code through its shared library, where the system has it (Debian: `apt-get install libisal2`): the
 * fastest C and assembly there is for this work, as the anchor of the figures and as a second oracle.
 *
 * Source of the functions: ISA-L 2.30, include/erasure_code.h.
 */
import koffi, { type LibraryHandle } from 'koffi'
import type { Matrix } from '../../../core/erasure/matrix.ts'

export interface Isal {
  /** The parity rows of `gf_gen_cauchy1_matrix` for k data and m parity shards. */
  cauchyRows(k: number, m: number): Matrix
  /** A function that computes out[i] = Σ_j rows[i][j] · in[j], where all arrays have `length` bytes and stay where they are. */
  multiplier(
    rows: Matrix,
    inputs: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
    length: number,
  ): () => void
}

/** Bytes of an expanded coefficient in ISA-L's tables. */
const TABLE_BYTES = 32

/** The library, or undefined where the system has none. */
export function loadIsal(): Isal | undefined {
  const library = open()
  if (library === undefined) return undefined
  const cauchy: (a: Uint8Array, total: number, k: number) => void = library.func(
    'void gf_gen_cauchy1_matrix(_Out_ uint8_t *a, int m, int k)',
  )
  const initTables: (k: number, rows: number, a: Uint8Array, tables: Uint8Array) => void = library.func(
    'void ec_init_tables(int k, int rows, uint8_t *a, _Out_ uint8_t *gftbls)',
  )
  const encode: (
    length: number,
    k: number,
    rows: number,
    tables: Uint8Array,
    inputs: BigUint64Array,
    outputs: BigUint64Array,
  ) => void = library.func(
    'void ec_encode_data(int len, int k, int rows, uint8_t *gftbls, uint64_t *data, uint64_t *coding)',
  )
  return {
    cauchyRows(k, m) {
      const matrix = new Uint8Array((k + m) * k)
      cauchy(matrix, k + m, k)
      return Array.from({ length: m }, (_, i) => [...matrix.subarray((k + i) * k, (k + i + 1) * k)])
    },
    multiplier(rows, inputs, outputs, length) {
      const tables = new Uint8Array(rows.length * inputs.length * TABLE_BYTES)
      initTables(inputs.length, rows.length, Uint8Array.from(rows.flat()), tables)
      const from = BigUint64Array.from(inputs, (shard) => koffi.address(shard))
      const to = BigUint64Array.from(outputs, (shard) => koffi.address(shard))
      return () => encode(length, inputs.length, rows.length, tables, from, to)
    },
  }
}

function open(): LibraryHandle | undefined {
  try {
    return koffi.load('libisal.so.2')
  } catch {
    return undefined
  }
}
