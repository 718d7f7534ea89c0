/** The checksum algorithms of S3, as running digests over pieces of a body. */
import { createHash, hash } from 'node:crypto'
import { crc32, crc32c } from '@node-rs/crc32'
import { Xxh64, xxh3 } from '@node-rs/xxhash'
import type { ChecksumAlgorithm } from '../../core/checksum/algorithms.ts'
import { Crc64Nvme } from './crc64nvme.ts'
import { Xxh128 } from './xxh128.ts'

/** A digest that grows with its input. */
export interface RunningChecksum {
  /** Takes the next bytes; reads them before it returns and keeps no reference. */
  update(bytes: Uint8Array): void
  /** The raw digest of all bytes so far, numbers big-endian. Called once, at the end. */
  digest(): Uint8Array
}

const factories: Readonly<Record<ChecksumAlgorithm, () => RunningChecksum>> = {
  CRC32: () => runningCrc32(crc32),
  CRC32C: () => runningCrc32(crc32c),
  CRC64NVME: () => new Crc64Nvme(),
  MD5: () => runningHash('md5'),
  SHA1: () => runningHash('sha1'),
  SHA256: () => runningHash('sha256'),
  SHA512: () => runningHash('sha512'),
  XXHASH3: () => runningXxh(xxh3.Xxh3.withSeed()),
  XXHASH64: () => runningXxh(new Xxh64()),
  XXHASH128: () => new Xxh128(),
}

/** A fresh running digest. */
export function createChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  return factories[algorithm]()
}

/** The raw digest of bytes at hand, for checksums of checksums. */
export function checksumOf(algorithm: ChecksumAlgorithm, bytes: Uint8Array): Uint8Array {
  const running = createChecksum(algorithm)
  running.update(bytes)
  return running.digest()
}

/** The MD5 of bytes at hand, raw: for the ETags of multipart objects. */
export function md5Of(bytes: Uint8Array): Uint8Array {
  return hash('md5', bytes, 'buffer')
}

function runningHash(name: 'md5' | 'sha1' | 'sha256' | 'sha512'): RunningChecksum {
  const running = createHash(name)
  return {
    update: (bytes) => void running.update(bytes),
    digest: () => running.digest(),
  }
}

function runningCrc32(step: (input: Uint8Array, previous: number) => number): RunningChecksum {
  let crc = 0
  return {
    update: (bytes) => {
      if (bytes.byteLength > 0) crc = step(bytes, crc)
    },
    digest: () => {
      const result = new Uint8Array(4)
      new DataView(result.buffer).setUint32(0, crc)
      return result
    },
  }
}

function runningXxh(running: { update(bytes: Uint8Array): unknown; digest(): bigint }): RunningChecksum {
  return {
    update: (bytes) => void running.update(bytes),
    digest: () => {
      const result = new Uint8Array(8)
      new DataView(result.buffer).setBigUint64(0, running.digest())
      return result
    },
  }
}
