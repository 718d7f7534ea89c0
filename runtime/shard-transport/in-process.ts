import { ShardError, type ShardService, type ShardTransport } from '../../proto/shard-transport.ts'

/** Reaches storage nodes of this process. `serviceOf` may change its answers; a node it does not know is `unavailable`. */
export function createInProcessShardTransport(
  serviceOf: (node: string) => ShardService | undefined,
): ShardTransport {
  return { node: (id) => serviceOf(id) ?? unreachable(`no storage node ${id}`) }
}

/** A node that cannot be reached. */
function unreachable(reason: string): ShardService {
  const refuse = (): Promise<never> => Promise.reject(new ShardError('unavailable', reason))
  return {
    put: refuse,
    get: refuse,
    deleteBlob: refuse,
    deleteShards: refuse,
    list: refuse,
    describe: refuse,
    damaged: refuse,
    status: refuse,
  }
}
