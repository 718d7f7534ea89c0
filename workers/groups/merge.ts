/** What all nodes list of a group, blob by blob, in order of their ids. */

import { GROUP_LIST_PAGE_MIN, GROUP_LIST_SHARDS_MAX, SHARD_LIST_MAX } from '../../core/limits.ts'
import type { ListedShard, ShardAddress, ShardTransport } from '../../proto/shard-transport.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import { inTime } from '../blob/context.ts'
import type { ListedBlob } from '../blob/identify.ts'
import type { HeldShard } from '../blob/plan.ts'

/** A node did not give its list, or its next page. */
export class ListFailure extends Error {
  override readonly name = 'ListFailure'
  readonly node: string

  constructor(node: string, cause: unknown) {
    super(`node ${node} does not list its shards`, { cause })
    this.node = node
  }
}

export interface MergeRequest {
  readonly nodes: readonly string[]
  readonly group: number
  /** Of the map, which the nodes learn; absent: they learn nothing. */
  readonly epoch?: number
  /** Exclusive: only blobs that come after it; absent: all. */
  readonly after?: ShardAddress | undefined
  readonly signal: AbortSignal
}

/**
 * The blobs of a group that any of these nodes lists. Holds a page of each node's list, and the shards of one blob.
 *
 * @throws {ListFailure}, or the signal's reason
 */
export async function* mergeLists(
  { shards, clock }: { readonly shards: ShardTransport; readonly clock: Clock },
  { nodes, group, epoch, after: start, signal }: MergeRequest,
): AsyncGenerator<ListedBlob, void, undefined> {
  const even = Math.floor(GROUP_LIST_SHARDS_MAX / Math.max(1, nodes.length))
  const limit = Math.min(SHARD_LIST_MAX, Math.max(GROUP_LIST_PAGE_MIN, even))
  const fetch = (node: string) => async (after: ShardAddress | undefined) => {
    const request = {
      group,
      limit,
      ...(epoch === undefined ? {} : { epoch }),
      ...(after === undefined ? {} : { after }),
    }
    try {
      return await inTime(clock, signal, (ending) => shards.node(node).list(request, ending))
    } catch (error) {
      signal.throwIfAborted()
      throw new ListFailure(node, error)
    }
  }
  const cursors = nodes.map((node) => new ListCursor(node, fetch(node), start))
  await Promise.all(cursors.map((cursor) => cursor.fill()))
  for (;;) {
    let blob: string | undefined
    for (const { current } of cursors) {
      if (current !== undefined && (blob === undefined || current.blob < blob)) blob = current.blob
    }
    if (blob === undefined) return
    const held: HeldShard[] = []
    for (const cursor of cursors) await cursor.takeAll(blob, held)
    yield { blob, held }
  }
}

interface Page {
  readonly shards: readonly ListedShard[]
  readonly truncated: boolean
}

/** One node's list, page by page. */
class ListCursor {
  readonly #node: string
  readonly #fetch: (after: ShardAddress | undefined) => Promise<Page>
  /** Where the list begins, exclusive. */
  readonly #start: ShardAddress | undefined
  #page: readonly ListedShard[] = []
  #at = 0
  #more = true

  constructor(
    node: string,
    fetch: (after: ShardAddress | undefined) => Promise<Page>,
    start: ShardAddress | undefined,
  ) {
    this.#node = node
    this.#fetch = fetch
    this.#start = start
  }

  /** The next shard's address; `undefined` at the end. Only after {@link fill}. */
  get current(): ShardAddress | undefined {
    return this.#page[this.#at]?.address
  }

  /** Makes sure that there is a next one, if there is. */
  async fill(): Promise<void> {
    while (this.#at >= this.#page.length && this.#more) {
      const { shards, truncated } = await this.#fetch(this.#page.at(-1)?.address ?? this.#start)
      this.#page = shards
      this.#at = 0
      this.#more = truncated && shards.length > 0
    }
  }

  /** Moves the shards of that blob, should it be the next. */
  async takeAll(blob: string, into: HeldShard[]): Promise<void> {
    for (;;) {
      const next = this.#page[this.#at]
      if (next?.address.blob !== blob) return
      const { address, bytes, damaged } = next
      into.push({ node: this.#node, stripe: address.stripe, shard: address.shard, bytes, damaged })
      this.#at++
      if (this.#at >= this.#page.length) await this.fill()
    }
  }
}
