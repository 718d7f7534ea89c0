import { createHmac, timingSafeEqual } from 'node:crypto'
import { CLUSTER_TOKEN_SKEW_MS } from '../../core/limits.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'

const PURPOSE = 'ashlar-cluster-token-v1'

/**
 * Proves that the caller holds the cluster's secret without sending it: `<unix ms>.<nonce>.<HMAC-SHA256>`, all but the
 * time in hex. Given once when an internal connection or stream opens.
 */
export function createClusterToken(secret: string, clock: Clock, random: Random): string {
  const claim = `${clock.nowMs()}.${Buffer.from(random.bytes(16)).toString('hex')}`
  return `${claim}.${sign(secret, claim).toString('hex')}`
}

/** True for a token made with this secret within CLUSTER_TOKEN_SKEW_MS of now. Compares in constant time. */
export function verifyClusterToken(secret: string, token: string, clock: Clock): boolean {
  const match = /^((\d{1,15})\.[0-9a-f]{32})\.([0-9a-f]{64})$/.exec(token)
  if (match === null) return false
  const [, claim = '', time = '', signature = ''] = match
  const genuine = timingSafeEqual(sign(secret, claim), Buffer.from(signature, 'hex'))
  return genuine && Math.abs(clock.nowMs() - Number(time)) <= CLUSTER_TOKEN_SKEW_MS
}

function sign(secret: string, claim: string): Buffer {
  return createHmac('sha256', secret).update(`${PURPOSE}\n${claim}`).digest()
}
