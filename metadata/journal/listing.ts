import { SHARD_LIST_MAX } from '../../core/limits.ts'
import { JOURNAL_GROUP } from '../../core/placement/group.ts'
import type { ListedShard, ShardAddress, ShardService } from '../../proto/shard-transport.ts'

/** The first stripe of a blob: see JOURNAL_GROUP. */
export const FIRST_STRIPE = 1

/** All that a node has of the journal, in order. */
export async function listJournal(list: ShardService['list']): Promise<ListedShard[]> {
  const found: ListedShard[] = []
  let after: ShardAddress | undefined
  for (;;) {
    const page = await list({
      group: JOURNAL_GROUP,
      limit: SHARD_LIST_MAX,
      ...(after === undefined ? {} : { after }),
    })
    found.push(...page.shards)
    after = page.shards.at(-1)?.address
    if (!page.truncated || after === undefined) return found
  }
}
