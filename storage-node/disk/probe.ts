import { errnoOf } from '../../runtime/disk/errno.ts'
import type { Disk } from '../../runtime/ports/disk.ts'

const PROBE_FILE = 'write-probe'

/** The least that is told from what an inode or a journal has room for. */
const PROBE_BYTES = 4096

/** Whether a file can be written, made durable and removed in the root folder of the disk. */
export async function takesWrites(disk: Disk): Promise<boolean> {
  try {
    // One that a crash left.
    await disk.remove(PROBE_FILE).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
    const file = await disk.open(PROBE_FILE, { create: true })
    try {
      await file.write([new Uint8Array(PROBE_BYTES)], 0)
      await file.sync()
    } finally {
      await file.close()
      await disk.remove(PROBE_FILE)
    }
    return true
  } catch {
    return false
  }
}
