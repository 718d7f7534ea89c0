/** A thread died or could not do its work: the request that used it fails, the next one gets a fresh thread. */
export class ComputeError extends Error {
  override readonly name = 'ComputeError'
}
