/** The scrub of one segment. */
import { SCRUB_LOOKUPS } from '../../core/limits.ts'
import { errnoOf } from '../../runtime/disk/errno.ts'
import type { DiskFile } from '../../runtime/ports/disk.ts'
import { type Finding, samePlace } from '../damage/plan.ts'
import { type LogRecord, shardName } from '../index/plan.ts'
import type { IndexEntry } from '../index/shard-index.ts'
import { segmentPath } from '../segment/files.ts'
import { SEGMENT_HEADER_BYTES } from '../segment/format.ts'
import { readMarker } from '../segment/read.ts'
import { scanSegment } from '../segment/scan.ts'
import { faultOf, type Reader, type ScrubPorts } from './ports.ts'
import { resolveSegment } from './resolve.ts'
import { Tally } from './tally.ts'

/** A record that the scan met. */
interface Met {
  readonly record: LogRecord
  readonly damaged: boolean
}

/**
 * Reads a segment from its start to its end, and lists every live shard as damaged that cannot be read from it. Where the
 * segment has fewer shards than the index counted, or the index does not have them, that is looked into; see resolve.ts.
 *
 * @returns how many shards were found damaged, or were missing in the index and put back
 * @throws the signal's reason, and as the index
 */
export async function scrubSegment(ports: ScrubPorts, segment: number, reader: Reader): Promise<number> {
  const { live, writer } = ports
  const begun = await live.settled(async () => {
    const use = writer.uses.get(segment)
    if (use === undefined) return undefined
    const tally = new Tally(segment, use.end)
    const stop = writer.watch((changes) => {
      tally.changed(changes)
    })
    return { tally, stop }
  })
  // Removed meanwhile.
  if (begun === undefined) return 0
  const { tally, stop } = begun
  try {
    const found = await scan(ports, tally, reader)
    const missing = await live.settled(async () => {
      const use = writer.uses.get(segment)
      return use === undefined ? 0 : tally.missing(use.liveShards)
    })
    return missing === 0 ? found : found + (await resolveSegment(ports, tally, reader))
  } finally {
    stop()
  }
}

/** Accounts for all live shards whose records can be found. */
async function scan(ports: ScrubPorts, tally: Tally, reader: Reader): Promise<number> {
  const { files, log } = ports
  const path = segmentPath(tally.segment)
  let found = 0
  // While one batch is looked up, the next is read.
  let checking = Promise.resolve()
  const checked = async (batch: readonly Met[]): Promise<void> => {
    found += await check(ports, tally, batch)
  }
  try {
    await files.look(tally.segment)
    await files.use(tally.segment, async (file) => {
      for await (const batch of batches(ports, file, tally, reader)) {
        await checking
        checking = checked(batch)
        // What it throws is thrown where it is waited for.
        checking.catch(() => undefined)
      }
    })
  } catch (error) {
    const code = errnoOf(error)
    if (code !== 'EIO' && code !== 'ENOENT') throw error
    // What was not met is read shard by shard.
    log.error('a segment cannot be read through', { file: path, error: code })
  }
  await checking
  return found
}

async function* batches(
  { log }: ScrubPorts,
  file: DiskFile,
  { segment, end }: Tally,
  reader: Reader,
): AsyncGenerator<Met[], void, undefined> {
  const { marker, header } = await readMarker(file)
  if (header === undefined) log.error('damaged segment header', { file: segmentPath(segment) })
  let batch: Met[] = []
  let read = 0
  const scanned = scanSegment(file, {
    segment,
    marker,
    from: SEGMENT_HEADER_BYTES,
    verify: true,
    tellDamaged: true,
  })
  for await (const each of scanned) {
    const at = 'gap' in each ? Math.min(each.gap.end, end) : each.record.end
    if (at > end) break
    await reader.took(at - read)
    read = at
    if ('gap' in each) {
      if (each.gap.start >= end) break
      log.warn('bytes that are no whole record', { file: segmentPath(segment), ...each.gap })
      continue
    }
    if (each.record.kind !== 'put') continue
    batch.push({ record: each.record, damaged: each.damaged === true })
    if (batch.length < SCRUB_LOOKUPS) continue
    yield batch
    batch = []
  }
  yield batch
}

/** Looks which of the records are live, accounts for those, and lists the damaged. */
async function check(ports: ScrubPorts, tally: Tally, batch: readonly Met[]): Promise<number> {
  const { index, live, writer, damage, files } = ports
  if (batch.length === 0) return 0
  const suspects = await live.settled(async () => {
    const addresses = batch.map(({ record }) => record.address)
    const [locations, listed] = await Promise.all([index.getMany(addresses), writer.damage.among(addresses)])
    const again: { entry: IndexEntry; listed: boolean }[] = []
    for (const [i, { record, damaged }] of batch.entries()) {
      const location = locations[i]
      if (location === undefined || !samePlace(location, record.location)) continue
      tally.account(location.offset)
      const { ownerBytes, dataBytes } = record.location
      const fits = location.ownerBytes === ownerBytes && location.dataBytes === dataBytes
      const isListed = listed.has(shardName(record.address))
      if (damaged || !fits || isListed) {
        again.push({ entry: { address: record.address, location }, listed: isListed })
      }
    }
    return again
  })
  const findings: Finding[] = []
  for (const { entry, listed } of suspects) {
    const reason = await faultOf(files, entry)
    if (reason !== undefined) findings.push({ ...entry, reason })
    // Read well by the scan and once more: what was wrong has passed.
    else if (listed) await live.settled(() => writer.clearDamage([entry]))
  }
  return await damage.mark(findings)
}
