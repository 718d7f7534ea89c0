import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCode } from '../failure.ts'
import { readPid } from '../folder/data-folder.ts'
import { writePrivateFile } from '../folder/files.ts'
import type { DataPaths } from '../folder/paths.ts'

/** Writes this process's id to a file, for people and scripts that want to signal it; the result takes it away again. */
export async function writePidFile(path: string): Promise<() => Promise<void>> {
  await writePrivateFile(path, `${process.pid}\n`)
  return async () => {
    // A process started meanwhile may have written its own.
    if ((await readPid(path)) === process.pid) await rm(path, { force: true })
  }
}

/**
 * Whether a gateway of an earlier start may still be running here. A guess, good enough to wait a little by: a process id
 * may be another program's by now.
 */
export async function gatewaysLinger({ run }: DataPaths): Promise<boolean> {
  const names = await readdir(run).catch(() => [])
  const files = names.filter((name) => /^gateway-\d+\.pid$/.test(name))
  const pids = await Promise.all(files.map((name) => readPid(join(run, name))))
  return pids.some((pid) => pid !== undefined && isAlive(pid))
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) === 'EPERM'
  }
}
