/**
 * Maps in order of `items`, at most `inFlightMax` at a time. Rejects with the first rejection, after which no further
 * item is begun.
 */
export async function mapInParallel<Item, Result>(
  items: readonly Item[],
  inFlightMax: number,
  map: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const queue = items.entries()
  let failed = false
  const lane = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failed) return
      try {
        results[index] = await map(item)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlightMax, items.length) }, lane))
  return results
}
