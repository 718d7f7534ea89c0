import { createHmac, timingSafeEqual } from 'node:crypto'

const PURPOSE = 'ashlar-admin-token-v1'

/** The token of the admin interface, 64 hex digits: it follows from the cluster's secret and does not give it away. */
export function adminToken(secret: string): string {
  return createHmac('sha256', secret).update(PURPOSE).digest('hex')
}

/** Whether an `Authorization` header holds it. Compares in constant time. */
export function verifyAdminToken(secret: string, header: string | undefined): boolean {
  const given = /^Bearer ([0-9a-f]{64})$/i.exec(header ?? '')?.[1]
  if (given === undefined) return false
  return timingSafeEqual(Buffer.from(given.toLowerCase()), Buffer.from(adminToken(secret)))
}

/** Whether only this machine can reach what listens on an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** Whether a `Host` header is this machine's own: a loopback address or `localhost`, with or without a port. */
export function namesLoopback(header: string | undefined): boolean {
  const host = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:]+))(?::\d{1,5})?$/.exec(header ?? '')
  return isLoopback((host?.[1] ?? host?.[2] ?? '').toLowerCase())
}
