/**
 * `npm run bench -- erasure [--codes rs-4-2,lrc-6-3-3,…] [--shard-bytes 1048576] [--stripes 1] [--rounds 40]`
 *
 * GB/s (10⁹ bytes) of the data of the stripe: k shards, whether parity is computed, compared or a lost shard restored. One
 * thread. `--stripes n` goes through n stripes in turn: with 1 the stripe stays in the outer caches, as it does when it has
 * just been received; with many it comes from memory.
 *
 * A second table says what the repair of one lost shard takes (erasure/lost-shard.ts).
 */
import assert from 'node:assert/strict'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Code, CodeNameError, parseCode } from '../../core/erasure/code.ts'
import { createKernel, hasRelaxedSimd, type ShardOffsets } from '../../core/erasure/kernel.ts'
import { planRecovery } from '../../core/erasure/matrix.ts'
import { localGroup } from '../../core/erasure/repair.ts'
import * as reference from '../../core/erasure/reference.ts'
import { SHARD_BYTES_MAX } from '../../core/limits.ts'
import { type Isal, loadIsal } from './erasure/isal.ts'
import { lostShardTable } from './erasure/lost-shard.ts'
import {
  contestant,
  type Measured,
  range,
  type Settings,
  type Stripes,
  stripesOf,
} from './erasure/stripes.ts'
import { bestOf } from './measure.ts'
import { positiveInteger, UsageError } from './options.ts'
import { markdownTable } from './table.ts'

interface Operation {
  readonly name: string
  /** The shards the operation computes; undefined for verify, which only reads. */
  readonly lost: readonly number[] | undefined
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      codes: { type: 'string', default: 'rs-4-2,rs-6-3,rs-8-4,rs-10-4,lrc-6-3-3,lrc-4-3-2' },
      'shard-bytes': { type: 'string', default: String(SHARD_BYTES_MAX) },
      stripes: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '40' },
    },
  })
  const settings = {
    shardBytes: positiveInteger('--shard-bytes', values['shard-bytes']),
    stripes: positiveInteger('--stripes', values.stripes),
    rounds: positiveInteger('--rounds', values.rounds),
  }
  const codes = values.codes.split(',').map(computed)
  const isal = loadIsal()
  const { shardBytes, stripes, rounds } = settings
  console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}, V8 ${process.versions.v8}`)
  console.log(
    `shards of ${shardBytes} bytes, ${stripes} stripe(s), best of ${rounds}; GB/s of data, one thread`,
  )
  console.log(`relaxed SIMD: ${hasRelaxedSimd() ? 'yes' : 'no'}; ISA-L: ${isal ? 'yes' : 'no (libisal2)'}\n`)
  const rows = codes.flatMap((code) => measureCode(code, settings, isal))
  console.log(
    markdownTable(['operation', 'kernel', 'unshared', 'plain SIMD', 'table', 'ISA-L', 'kernel/ISA-L'], rows),
  )
  console.log(`\nrepair of one lost shard:\n\n${lostShardTable(codes, settings)}`)
}

function computed(name: string): Code {
  try {
    const code = parseCode(name)
    if (code.kind !== 'replica' && code.m > 0) return code
  } catch (error) {
    if (error instanceof CodeNameError) throw new UsageError(`--codes: ${error.message}`)
    throw error
  }
  throw new UsageError(`--codes: ${name} computes no parity`)
}

function measureCode(code: Code, settings: Settings, isal: Isal | undefined): string[][] {
  const shared = stripesOf(code, settings, true)
  const unshared = stripesOf(code, settings, false)
  const operations: Operation[] = [
    { name: 'encode', lost: range(code.k, code.total) },
    { name: 'verify', lost: undefined },
    ...reconstructions(code),
  ]
  return operations.map((operation) => {
    const contestants = [
      kernelContestant(code, operation, shared, settings, hasRelaxedSimd()),
      kernelContestant(code, operation, unshared, settings, hasRelaxedSimd()),
      kernelContestant(code, operation, shared, settings, false),
      tableContestant(code, operation, shared, settings),
      ...(isal && code.kind === 'rs' && operation.lost
        ? [isalContestant(code, operation.lost, shared, settings, isal)]
        : []),
    ]
    const seconds = bestOf(contestants, settings.rounds)
    const rates = contestants.map(({ bytes }, i) => bytes / (seconds[i] ?? 0) / 1e9)
    const [kernel = 0, , , , anchor] = rates
    const cells = rates.map((rate) => rate.toFixed(rate < 1 ? 2 : 1))
    const ratio = anchor === undefined ? '' : (kernel / anchor).toFixed(2)
    return [`${code.name} ${operation.name}`, ...cells, ...(anchor === undefined ? [''] : []), ratio]
  })
}

/** Of Reed–Solomon the first data shards: their rows have no zeros. Of local codes one, then its whole group. */
function reconstructions(code: Code): Operation[] {
  const group = localGroup(code, 0)
  if (group !== undefined) {
    return [
      { name: 'reconstruct 1', lost: [0] },
      { name: `reconstruct a group of ${group.length}`, lost: group },
    ]
  }
  const losses = [...new Set([1, 2, code.m])].filter((lost) => lost <= code.m)
  return losses.map((lost) => ({ name: `reconstruct ${lost}`, lost: range(0, lost) }))
}

function kernelContestant(
  code: Code,
  operation: Operation,
  stripes: Stripes,
  settings: Settings,
  relaxed: boolean,
): Measured {
  const { slots, memory } = stripes
  const { shardBytes } = settings
  const kernel = createKernel(code, memory, { relaxed })
  const { lost } = operation
  const at = (slot: number): ShardOffsets => slots[slot] ?? []
  if (lost === undefined) {
    return contestant(code, stripes, settings, (slot) => assert.ok(kernel.verify(at(slot), shardBytes)))
  }
  if (lost[0] === code.k) {
    return contestant(code, stripes, settings, (slot) => kernel.encode(at(slot), shardBytes))
  }
  const available = range(0, code.total).filter((shard) => !lost.includes(shard))
  return contestant(code, stripes, settings, (slot) => {
    kernel.reconstruct(at(slot), available, lost, shardBytes)
  })
}

/** Slow: one stripe a go, a few goes. */
function tableContestant(code: Code, operation: Operation, stripes: Stripes, settings: Settings): Measured {
  const slot = stripes.slots[0] ?? []
  const shards = range(0, code.total).map((shard) => stripes.view(shard, slot))
  const { lost } = operation
  const holes = shards.map((shard, i) => (lost?.includes(i) === true ? undefined : shard))
  const once = (): void => {
    if (lost === undefined) assert.ok(reference.verify(code, shards))
    else if (lost[0] === code.k) reference.encode(code, shards.slice(0, code.k))
    else reference.reconstruct(code, holes)
  }
  return { once, roundsMax: 4, bytes: code.k * settings.shardBytes }
}

function isalContestant(
  code: Code,
  lost: readonly number[],
  stripes: Stripes,
  settings: Settings,
  isal: Isal,
): Measured {
  const available = range(0, code.total).filter((shard) => !lost.includes(shard))
  const plan = planRecovery(code, available, lost)
  const calls = stripes.slots.map((slot) => {
    const view = (shard: number): Uint8Array => stripes.view(shard, slot)
    return isal.multiplier(plan.rows, plan.sources.map(view), lost.map(view), settings.shardBytes)
  })
  const before = stripes.slots.map((slot) => lost.map((shard) => stripes.view(shard, slot).slice()))
  for (const call of calls) call()
  const after = stripes.slots.map((slot) => lost.map((shard) => stripes.view(shard, slot).slice()))
  assert.deepEqual(after, before, 'the kernel and ISA-L must agree before they race')
  return contestant(code, stripes, settings, (slot) => calls[slot]?.())
}
