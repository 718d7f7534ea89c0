/** The store's side for the workers, assembled. */

import type { Environment } from '../environment.ts'
import { Scope } from '../scope.ts'
import type { RepairStore } from './api.ts'
import { discardBlob, recodeBlob } from './recode.ts'
import { StripeRebuild, type RepairEnvironment } from './stripe-rebuild.ts'
import { Turnstile } from './turnstile.ts'

export function createRepairStore(environment: Environment): RepairStore {
  const repairEnvironment: RepairEnvironment = { ...environment, repairTurns: new Turnstile() }
  return {
    async rebuildStripe(request, signal) {
      const { cluster } = environment
      const scope = new Scope(signal)
      try {
        scope.throwIfAborted()
        const snapshot = cluster.current ?? (await cluster.ready('unreadable'))
        return await new StripeRebuild(repairEnvironment, scope, snapshot, request).run()
      } finally {
        scope.end()
      }
    },
    recodeBlob: (request, signal) => recodeBlob(environment, request, signal),
    discardBlob: (blob) => discardBlob(environment, blob),
  }
}
