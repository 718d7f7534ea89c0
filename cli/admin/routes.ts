import type { AdminAnswer, AdminRoutes } from '../../runtime/admin/server.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { assessCluster, type ClusterStatus } from '../status/assess.ts'
import { exposition } from './exposition.ts'
import { clusterMetrics, processMetrics, type ProcessFacts } from './metrics.ts'
import type { Seen } from './watch.ts'

/** What the admin interface answers from. None of it waits for anything. */
export interface AdminFacts {
  readonly seen: () => Seen
  readonly process: () => ProcessFacts
  readonly clock: Pick<Clock, 'nowMs'>
}

/** `/healthz`, `/metrics`, `/v1/status` and `/v1/risk`. */
export function adminRoutes({ seen, process, clock }: AdminFacts): AdminRoutes {
  const status = () => {
    const { view } = seen()
    return view === undefined ? undefined : assessCluster(view, clock.nowMs())
  }
  const known = (show: (status: ClusterStatus) => unknown) => (): AdminAnswer => {
    const now = status()
    if (now === undefined) return json(503, { error: 'metadata has not answered yet' })
    return json(200, { metadataReachable: seen().reachable, ...asObject(show(now)) })
  }
  return new Map([
    ['/healthz', (): AdminAnswer => ({ status: 200, type: 'text/plain; charset=utf-8', body: 'ok\n' })],
    [
      '/metrics',
      (): AdminAnswer => {
        const now = status()
        const metrics = [
          ...processMetrics(process(), seen().reachable),
          ...(now === undefined ? [] : clusterMetrics(now, clock.nowMs())),
        ]
        return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: exposition(metrics) }
      },
    ],
    ['/v1/status', known((now) => now)],
    ['/v1/risk', known(({ asOf, ageSeconds, health, risk }) => ({ asOf, ageSeconds, health, risk }))],
  ])
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

function json(status: number, value: unknown): AdminAnswer {
  return { status, type: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` }
}
