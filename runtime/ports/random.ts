/** Unpredictable bytes; seeded in tests. */
export interface Random {
  bytes(length: number): Uint8Array
}
