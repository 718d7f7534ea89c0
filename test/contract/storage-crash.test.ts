/**
 * Power cuts of a storage node: at every operation of its disk in a run with compaction, with all, none or any of the
 * unsynced sectors and names surviving, its index at any state since the last checkpoint, or gone; then a second cut, during
 * recovery or what comes after. Each operation is tried in one way of twelve, in turn; `ASHLAR_CRASH_TIMES=12` tries all, and
 * `ASHLAR_CRASH_SEED` another run.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMPACTION_LOOK_MS } from '../../core/limits.ts'
import { MemoryDisk } from '../../runtime/disk/memory-disk.ts'
import type { Survival } from '../../runtime/disk/memory-file.ts'
import { MemoryIndex } from '../../storage-node/index/memory-index.ts'
import type { CompactionTotals } from '../../storage-node/compaction/compactor.ts'
import { Knowledge, open, type Running, seeded, verify, workload } from './storage-crash-run.ts'

const TIMES = Number(process.env['ASHLAR_CRASH_TIMES'] ?? '1')
const SEED = Number(process.env['ASHLAR_CRASH_SEED'] ?? '1')

const SURVIVALS: readonly ((seed: number) => Survival)[] = [
  () => () => false,
  () => () => true,
  (seed) => {
    const next = seeded(seed)
    return () => next() < 0.5
  },
]
const INDEXES: readonly ((index: MemoryIndex) => MemoryIndex)[] = [
  () => new MemoryIndex(),
  (index) => index.afterCrash(0),
  (index) => index.afterCrash(0.5),
  (index) => index.afterCrash(1),
]
const WAYS = SURVIVALS.length * INDEXES.length

/** What a power cut leaves, and what the client knew then. */
interface Cut {
  readonly what: string
  readonly seed: number
  readonly disk: MemoryDisk
  readonly index: MemoryIndex
  readonly knowledge: Knowledge
}

/** Captures what cuts at operations `from` up to `to` would leave, and how many operations the whole run has. */
async function capture(
  seed: number,
  from: number,
  to: number,
): Promise<{ cuts: Cut[]; operations: number; compaction: CompactionTotals }> {
  const disk = new MemoryDisk()
  const index = new MemoryIndex()
  const knowledge = new Knowledge()
  const cuts: Cut[] = []
  disk.before = (operation) => {
    if (operation.kind === 'read' || operation.index < from || operation.index >= to) return
    for (let time = 0; time < TIMES; time++) {
      // Seven and twelve have no divisor in common: neighbours differ in both.
      const way = (7 * operation.index + time) % WAYS
      const [survival, kept] = [way % SURVIVALS.length, Math.floor(way / SURVIVALS.length)]
      const mine = seed * 100_000 + operation.index
      cuts.push({
        what: `run ${seed} cut at ${operation.index} (${operation.kind} ${operation.path}), survival ${survival}, index ${kept}`,
        seed: mine + time,
        disk: disk.afterPowerCut(SURVIVALS[survival]?.(mine)),
        index: INDEXES[kept]?.(index) ?? assert.fail(),
        knowledge: knowledge.copy(),
      })
    }
  }
  const running = await open(disk, index)
  const { node, clock } = running
  await clock.drive(workload(running, { seed, rounds: 40 }, knowledge))
  await verify(running, knowledge, `run ${seed}`)
  const compaction = node.compaction()
  await clock.drive(node.close())
  return { cuts, operations: disk.operations, compaction }
}

/** Recovers, goes on, is cut again at any moment from the first, recovers, and goes on. */
async function survive({ what, seed, disk, index, knowledge }: Cut): Promise<void> {
  const next = seeded(seed)
  const any = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)] ?? assert.fail()
  // Recovery itself takes a handful of operations.
  disk.cutPowerAt(Math.floor(next() * any([6, 80])))
  const first = await open(disk, index).catch(() => undefined)
  if (first === undefined) assert.ok(!disk.powered, what)
  else {
    await verifyPowered(first, disk, knowledge, what)
    await first.clock.drive(workload(first, { seed, rounds: 4 }, knowledge))
    await verifyPowered(first, disk, knowledge, `${what}, after more work`)
    disk.cutPower()
    await first.clock.drive(first.node.close().catch(() => undefined))
  }
  const last = await open(disk.restart(any(SURVIVALS)(seed)), any(INDEXES)(index))
  await verify(last, knowledge, `${what}, after a second cut`)
  await last.clock.drive(workload(last, { seed: seed + 1, rounds: 2 }, knowledge))
  await last.clock.pass(2 * COMPACTION_LOOK_MS)
  await verify(last, knowledge, `${what}, in the end`)
  await last.clock.drive(last.node.close())
}

/** As {@link verify}, unless the power is cut meanwhile, by what the node does of itself. */
async function verifyPowered(
  running: Running,
  disk: MemoryDisk,
  knowledge: Knowledge,
  what: string,
): Promise<void> {
  const seen = knowledge.copy()
  try {
    await verify(running, seen, what)
  } catch (error) {
    if (disk.powered) throw error
  }
  // What was seen once, stays. Without power it may still answer from memory what the disk knows better.
  if (disk.powered) knowledge.become(seen)
}

/** Operations whose cuts are held in memory at once. */
const SLICE = 300

test('a power cut at every operation of a run with compaction, and another soon after', async () => {
  const seed = SEED
  const { operations, compaction } = await capture(seed, 0, 0)
  assert.ok(operations > 400, `only ${operations} operations`)
  assert.ok(compaction.segments > 5 && compaction.records > 40, JSON.stringify(compaction))
  let cut = 0
  for (let from = 0; from < operations; from += Math.ceil(SLICE / TIMES)) {
    const { cuts } = await capture(seed, from, from + Math.ceil(SLICE / TIMES))
    for (const one of cuts) await survive(one)
    cut += cuts.length
  }
  assert.equal(cut, operations * TIMES)
})
