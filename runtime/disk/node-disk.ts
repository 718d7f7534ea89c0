import * as fs from 'node:fs'
import { join } from 'node:path'
import type { Disk, DiskFile } from '../ports/disk.ts'

/**
 * IOV_MAX of Linux and macOS: buffers that one writev takes. More are written in several calls, which is as good: a
 * write is only promised whole once it is synced.
 */
const BUFFERS_PER_WRITE = 1024

/**
 * Files below `root` through node:fs. The callback functions on plain descriptors are used rather than FileHandle:
 * they cost about half the CPU a call.
 */
export function createNodeDisk(root: string): Disk {
  const at = (path: string): string => join(root, path)
  return {
    async open(path, options) {
      const flags = options?.create === true ? 'wx+' : 'r+'
      const fd = await call<number>((done) => {
        fs.open(at(path), flags, 0o600, done)
      })
      return fileOf(fd)
    },
    async makeDirectory(path) {
      await call<string | undefined>((done) => {
        fs.mkdir(at(path), { recursive: true, mode: 0o700 }, done)
      })
    },
    async list(path) {
      const names = await call<string[]>((done) => {
        fs.readdir(at(path), done)
      })
      return names.toSorted()
    },
    async rename(from, to) {
      await run((done) => {
        fs.rename(at(from), at(to), done)
      })
    },
    async remove(path) {
      await run((done) => {
        fs.unlink(at(path), done)
      })
    },
    async syncDirectory(path) {
      const fd = await call<number>((done) => {
        fs.open(at(path), 'r', done)
      })
      try {
        await run((done) => {
          fs.fsync(fd, done)
        })
      } finally {
        await run((done) => {
          fs.close(fd, done)
        })
      }
    },
    async space() {
      const stats = await call<fs.StatsFs>((done) => {
        fs.statfs(root, done)
      })
      return { freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize }
    },
  }
}

function fileOf(fd: number): DiskFile {
  return {
    async size() {
      const stats = await call<fs.Stats>((done) => {
        fs.fstat(fd, done)
      })
      return stats.size
    },
    async read(into, position) {
      let filled = 0
      while (filled < into.byteLength) {
        const bytes = await call<number>((done) => {
          fs.read(fd, into, filled, into.byteLength - filled, position + filled, done)
        })
        if (bytes === 0) break
        filled += bytes
      }
      return filled
    },
    async write(buffers, position) {
      let rest = buffers.filter((buffer) => buffer.byteLength > 0)
      let offset = position
      while (rest.length > 0) {
        const some = rest.slice(0, BUFFERS_PER_WRITE)
        const bytes = await call<number>((done) => {
          fs.writev(fd, some, offset, done)
        })
        offset += bytes
        rest = after(rest, bytes)
      }
    },
    async sync() {
      await run((done) => {
        fs.fdatasync(fd, done)
      })
    },
    async truncate(size) {
      await run((done) => {
        fs.ftruncate(fd, size, done)
      })
    },
    async close() {
      await run((done) => {
        fs.close(fd, done)
      })
    },
  }
}

/** What is left of `buffers` once their first `bytes` bytes are written. */
function after(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  let index = 0
  for (const buffer of buffers) {
    if (buffer.byteLength > skip) break
    skip -= buffer.byteLength
    index++
  }
  const [first, ...others] = buffers.slice(index)
  return first === undefined ? [] : [first.subarray(skip), ...others]
}

function call<T>(start: (done: (error: Error | null, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, result) => {
      if (error) reject(error)
      else resolve(result)
    })
  })
}

function run(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}
