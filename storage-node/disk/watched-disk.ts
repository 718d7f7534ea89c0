import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Disk, DiskFile } from '../../runtime/ports/disk.ts'
import type { DiskHealth } from './health.ts'

/** The same disk, whose syncs and failed reads are told to `health`. */
export function watchDisk(disk: Disk, clock: Clock, health: DiskHealth): Disk {
  async function timed(sync: () => Promise<void>): Promise<void> {
    const token = health.beginSync(clock.monotonicMs())
    try {
      await sync()
    } finally {
      health.endSync(token, clock.monotonicMs())
    }
  }
  function failed(error: unknown): never {
    if (errnoOf(error) === 'EIO') health.readFailed(clock.monotonicMs())
    throw error
  }
  const watched = (file: DiskFile): DiskFile => ({
    size: () => file.size(),
    read: (into, position) => file.read(into, position).catch(failed),
    write: (buffers, position) => file.write(buffers, position),
    sync: () => timed(() => file.sync()),
    truncate: (size) => file.truncate(size),
    close: () => file.close(),
  })
  return {
    open: (path, options) => disk.open(path, options).then(watched),
    makeDirectory: (path) => disk.makeDirectory(path),
    list: (path) => disk.list(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => timed(() => disk.syncDirectory(path)),
    space: () => disk.space(),
  }
}
