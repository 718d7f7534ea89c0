/**
 * `npm run bench -- space [--mib 64]`
 *
 * Bytes on disk for each byte of an object: a whole cluster in one process, `--mib` MiB of objects of one size after
 * another, and what its folders take then (allocated blocks, after the index has settled), beside what the code alone asks for.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { parseCode } from '../../core/erasure/code.ts'
import { SMALL_OBJECT_BYTES_MAX } from '../../core/limits.ts'
import { startCluster } from '../cluster/harness.ts'
import { Run } from '../cluster/lifetime.ts'
import { contentOf } from './cluster/content.ts'
import { positiveInteger } from './options.ts'
import { markdownTable } from './table.ts'

const KIB = 1024
const MIB = 1024 * KIB
const SIZES = [
  { name: '1 KiB', bytes: KIB },
  { name: '29 KiB', bytes: 29 * KIB },
  { name: '1 MiB', bytes: MIB },
  { name: '100 MiB', bytes: 100 * MIB },
] as const
const CODE = 'rs-4-2'
const SMALL_CODE = 'replica-3'
const PUTS_AT_ONCE = 16
const BUCKET = 'space'
/** Small objects would take for ever to be as many bytes as large ones. */
const OBJECTS_MAX = 20_000

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { mib: { type: 'string', default: '64' } } })
  const mebibytes = positiveInteger('--mib', values.mib)
  const rows: string[][] = []
  for (const { name, bytes } of SIZES) {
    const objects = Math.min(OBJECTS_MAX, Math.max(4, Math.ceil((mebibytes * MIB) / bytes)))
    const found = await measure(objects, bytes)
    const { k, total } = parseCode(bytes > SMALL_OBJECT_BYTES_MAX ? CODE : SMALL_CODE)
    const per = (disk: number): string => (disk / (objects * bytes)).toFixed(3)
    const theory = total / k
    rows.push([
      name,
      String(objects),
      bytes > SMALL_OBJECT_BYTES_MAX ? CODE : SMALL_CODE,
      theory.toFixed(3),
      per(found.segments),
      per(found.indexes),
      per(found.metadata),
      `${((found.segments + found.indexes + found.metadata) / (objects * bytes) / theory).toFixed(3)}×`,
    ])
  }
  const head = ['object', 'objects', 'code', 'in theory', 'segments', 'indexes', 'metadata', 'of theory']
  console.log(markdownTable(head, rows))
}

async function measure(
  objects: number,
  bytes: number,
): Promise<{ segments: number; indexes: number; metadata: number }> {
  const whole = new Run()
  try {
    const cluster = await startCluster(whole, { args: ['--code', CODE] })
    const client = cluster.client()
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    const before = await spaceOf(cluster.paths.folder)
    let next = 0
    await Promise.all(
      Array.from(
        { length: Math.min(PUTS_AT_ONCE, Math.max(1, Math.floor((64 * MIB) / bytes))) },
        async () => {
          for (let n = next++; n < objects; n = next++) {
            const Body = Buffer.concat([...contentOf(n, bytes)])
            await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: `objects/${n}`, Body }))
          }
        },
      ),
    )
    // A close makes the indexes durable, after which nothing changes any more.
    await cluster.stop()
    const after = await spaceOf(cluster.paths.folder)
    whole.passed = true
    return {
      segments: after.segments - before.segments,
      indexes: after.indexes - before.indexes,
      metadata: after.metadata - before.metadata,
    }
  } finally {
    await whole.end()
  }
}

async function spaceOf(folder: string): Promise<{ segments: number; indexes: number; metadata: number }> {
  const nodes = await readdir(join(folder, 'nodes'))
  const sum = async (kind: string): Promise<number> => {
    const each = await Promise.all(nodes.map((node) => allocated(join(folder, 'nodes', node, kind))))
    return each.reduce((total, bytes) => total + bytes, 0)
  }
  return {
    segments: await sum('segments'),
    indexes: await sum('index'),
    metadata: await allocated(join(folder, 'metadata')),
  }
}

/** Bytes of the blocks that files of a folder take. */
async function allocated(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true })
  const each = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)))
  return each.reduce((total, found) => total + (found?.isFile() === true ? found.blocks * 512 : 0), 0)
}
