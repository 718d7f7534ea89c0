/** Shards that are not where their slot says, as runs over the stripes of a blob: the form in which records keep them. */

/** Shard `shard` of stripes `[firstStripe, firstStripe + stripeCount)` is on `node`; empty: nowhere, repair owes it. */
export interface Relocation {
  readonly shard: number
  readonly firstStripe: number
  readonly stripeCount: number
  readonly node: string
}

/**
 * The runs of a blob, in order of (shard, stripe), as long as they can be.
 *
 * @param slots the node of each slot, by shard
 * @param stripes for each stripe, the node that holds each shard, `undefined` for none
 */
export function relocationsOf(
  slots: readonly string[],
  stripes: readonly (readonly (string | undefined)[])[],
): Relocation[] {
  const runs: Relocation[] = []
  for (const [shard, slot] of slots.entries()) {
    let open: { node: string; first: number } | undefined
    for (let stripe = 0; stripe <= stripes.length; stripe++) {
      const placed = stripes[stripe]
      const node = placed === undefined ? undefined : (placed[shard] ?? '')
      const away = node === undefined || node === slot ? undefined : node
      if (open !== undefined && open.node !== away) {
        runs.push({ shard, firstStripe: open.first, stripeCount: stripe - open.first, node: open.node })
        open = undefined
      }
      if (open === undefined && away !== undefined) open = { node: away, first: stripe }
    }
  }
  return runs
}

/** The node a shard of a stripe was relocated to, empty if it was written nowhere; `undefined` when it is on its slot. */
export function relocatedTo(
  relocations: readonly Relocation[],
  shard: number,
  stripe: number,
): string | undefined {
  for (const run of relocations) {
    if (run.shard === shard && stripe >= run.firstStripe && stripe < run.firstStripe + run.stripeCount) {
      return run.node
    }
  }
  return undefined
}
