/**
 * How much is tried, and from which seed. A run is the same every time, so that `npm test` says the same everywhere;
 * `ASHLAR_FUZZ_SEED` and `ASHLAR_FUZZ_TIMES` (a factor) look elsewhere and longer.
 */
const times = Number(process.env['ASHLAR_FUZZ_TIMES'] ?? '1')

export function fuzzSettings(runs: number): { numRuns: number; seed: number } {
  return { numRuns: Math.ceil(runs * times), seed: Number(process.env['ASHLAR_FUZZ_SEED'] ?? '20261120') }
}
