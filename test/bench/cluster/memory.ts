import { stripeSlotBytes } from '../../../runtime/compute/stripe-slot.ts'
import { parseCode } from '../../../core/erasure/code.ts'
import { SHARD_BYTES_MAX, WRITE_MEMORY_BYTES, WRITE_STRIPES_MAX } from '../../../core/limits.ts'
import { peakBytesOf } from '../proc.ts'
import { markdownTable } from '../table.ts'
import type { Job } from './job.ts'
import { Run } from '../../cluster/lifetime.ts'
import { Generator } from './run.ts'
import { servicePid, startTarget } from './targets.ts'

const MIB = 1024 * 1024
const PART_BYTES = 64 * MIB
const PARTS_AT_ONCE = 4

/**
 * Peak memory of a gateway process (VmHWM) while one object is uploaded, each time in a cluster of its own: by one PUT, and
 * by a multipart upload. The object is read back and compared.
 */
export async function measureMemory(bytes: number, signal: AbortSignal): Promise<string> {
  const stripe = stripeSlotBytes(parseCode('rs-4-2'), SHARD_BYTES_MAX)
  const rows: string[][] = []
  for (const [name, parts] of [
    ['one PUT', 1],
    [`parts of ${PART_BYTES / MIB} MiB, ${PARTS_AT_ONCE} at once`, PARTS_AT_ONCE],
  ] as const) {
    const held = Math.min(parts * WRITE_STRIPES_MAX * stripe, WRITE_MEMORY_BYTES)
    const { idle, afterPut, afterGet, seconds } = await upload(bytes, parts > 1, signal)
    rows.push([name, mib(idle), mib(afterPut), mib(afterGet), mib(held), (bytes / 1e6 / seconds).toFixed(0)])
  }
  const head = ['upload', 'at rest', 'peak by PUT', 'by GET', "bound of its stripes'", 'MB/s']
  return markdownTable(head, rows)
}

async function upload(bytes: number, inParts: boolean, signal: AbortSignal) {
  const run = new Run()
  try {
    const { endpoint, cluster } = await startTarget(run, 'separate', { separate: true })
    const generator = new Generator(run, signal)
    await generator.do({ kind: 'create-bucket', endpoint })
    const pid = await servicePid(cluster, 'gateway-1')
    const idle = await peakBytesOf(pid)
    const one = { endpoint, size: bytes, clients: 1, operations: 1, seconds: Number.MAX_SAFE_INTEGER }
    const put: Job = inParts
      ? { kind: 'upload', endpoint, object: 1, size: bytes, partSize: PART_BYTES, clients: PARTS_AT_ONCE }
      : { kind: 'put', ...one, firstObject: 1, objects: 1 }
    const { seconds } = await generator.do(put)
    const afterPut = await peakBytesOf(pid)
    await generator.do({ kind: 'get', ...one, firstObject: 1, objects: 1 })
    const afterGet = await peakBytesOf(pid)
    run.passed = true
    return { idle, afterPut, afterGet, seconds }
  } finally {
    await run.end()
  }
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`
}
