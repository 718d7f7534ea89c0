/**
 * `npm run bench -- checksum [--piece-bytes 65536] [--rounds 20]`
 *
 * GB/s (10⁹ bytes) of S3's checksums on one thread, over pieces as a connection delivers them. The ratio is to MD5, which
 * the ETag of every PUT costs anyway.
 */
import { parseArgs } from 'node:util'
import { checksumAlgorithms } from '../../core/checksum/algorithms.ts'
import { SHARD_BLOCK_BYTES } from '../../core/limits.ts'
import { createChecksum } from '../../runtime/crypto/checksum.ts'
import { crc32cBlocks } from '../../runtime/crypto/crc32c.ts'
import { bestOf } from './measure.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

/** Data a contestant takes in one go: some milliseconds, far above the resolution of the clock. */
const BYTES_AT_ONCE = 8 * 1024 * 1024

export function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'piece-bytes': { type: 'string', default: '65536' },
      rounds: { type: 'string', default: '20' },
    },
  })
  const pieceBytes = positiveInteger('--piece-bytes', values['piece-bytes'])
  const rounds = positiveInteger('--rounds', values.rounds)

  const data = Uint8Array.from({ length: BYTES_AT_ONCE }, (_, i) => (i * 2_654_435_761) >>> 24)
  const pieces: Uint8Array[] = []
  for (let at = 0; at < data.length; at += pieceBytes) pieces.push(data.subarray(at, at + pieceBytes))

  const names: string[] = [...checksumAlgorithms]
  const contestants = [...checksumAlgorithms].map((algorithm) => ({
    once: () => {
      const running = createChecksum(algorithm)
      for (const piece of pieces) running.update(piece)
      running.digest()
    },
  }))
  names.push(`CRC32C of shard blocks, ${SHARD_BLOCK_BYTES / 1024} KiB`)
  contestants.push({ once: () => void crc32cBlocks(data) })

  const speeds = bestOf(contestants, rounds).map((seconds) => BYTES_AT_ONCE / seconds / 1e9)
  const md5 = speeds[names.indexOf('MD5')] ?? Number.NaN
  const rows = names.map((name, i) => {
    const speed = speeds[i] ?? Number.NaN
    return [name, speed.toFixed(2), `${(speed / md5).toFixed(1)}×`]
  })
  process.stdout.write(`${markdownTable(['checksum', 'GB/s', 'to MD5'], rows)}\n`)
  return Promise.resolve()
}
