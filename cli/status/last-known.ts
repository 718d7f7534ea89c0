import { STATUS_TIMEOUT_MS } from '../../core/limits.ts'
import type { Target } from '../target.ts'
import type { ClusterStatus } from './assess.ts'

/**
 * The cluster as the worker of a local cluster saw it last, from its admin interface: for when metadata does not answer, which is
 * when people look most. Undefined where there is none, or it does not answer either.
 */
export async function lastKnown({ local }: Target): Promise<ClusterStatus | undefined> {
  const port = local?.cluster.ports.admin
  if (port === undefined) return undefined
  try {
    const signal = AbortSignal.timeout(STATUS_TIMEOUT_MS)
    const answer = await fetch(`http://127.0.0.1:${port}/v1/status`, { signal })
    if (!answer.ok) return undefined
    const value: unknown = await answer.json()
    return isStatus(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** What stands behind the port may be anything; the format is this program's own. */
function isStatus(value: unknown): value is ClusterStatus {
  return (
    typeof value === 'object' &&
    value !== null &&
    'health' in value &&
    'zones' in value &&
    'restores' in value &&
    'metadata' in value
  )
}
