import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { Checkpoint, IndexChanges, ShardIndex } from '../../storage-node/index/shard-index.ts'

/**
 * A folder's index that fails as LevelDB does: once a write of it has failed, it takes none until it is opened anew, and then
 * it holds any of what it was told since the last checkpoint.
 */
export class StickyFolder {
  /** Whether the disk below takes no writes. */
  failing = false
  /** Whether one failed write is the end of all. */
  sticks = true
  checkpoints = 0
  opened = 0
  /** Those that are open now: a second one is refused, as by LevelDB's lock. */
  open = 0
  #index = new MemoryIndex()

  /** @param share of the writes since the last checkpoint that are there, 0 … 1 */
  openIndex(share = 1): ShardIndex {
    if (this.open > 0) throw new Error('in use')
    if (this.failing) throw new Error('IO error: index/MANIFEST-000007: No space left on device')
    this.#index = this.#index.afterCrash(share)
    this.open++
    this.opened++
    return this.#stickyIndex(this.#index)
  }

  #stickyIndex(index: MemoryIndex): ShardIndex {
    let isStuck = false
    const written = async (action: () => Promise<void>): Promise<void> => {
      isStuck ||= this.failing && this.sticks
      if (isStuck || this.failing) throw new Error('IO error: index/000003.log: No space left on device')
      await action()
    }
    return {
      state: () => index.state(),
      get: (address) => index.get(address),
      getMany: (addresses) => index.getMany(addresses),
      ofBlob: (group, blob) => index.ofBlob(group, blob),
      list: (group, after, limit) => index.list(group, after, limit),
      entries: () => index.entries(),
      damageOf: (addresses) => index.damageOf(addresses),
      listDamage: (after, limit) => index.listDamage(after, limit),
      inventory: () => index.inventory(),
      scrubProgress: () => index.scrubProgress(),
      write: (changes: IndexChanges) => written(() => index.write(changes)),
      checkpoint: (checkpoint: Checkpoint) =>
        written(async () => {
          this.checkpoints++
          await index.checkpoint(checkpoint)
        }),
      forgetSegment: (segment) => written(() => index.forgetSegment(segment)),
      condemn: () => written(() => index.condemn()),
      clear: () => written(() => index.clear()),
      close: async () => {
        this.open--
      },
    }
  }
}
