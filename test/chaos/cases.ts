import { failingDisk, fullDisk } from './cases/disks.ts'
import { kill } from './cases/kill.ts'
import { metadataOnEtcd, metadataOnPostgres, metadataProcess } from './cases/metadata-faults.ts'
import { recode } from './cases/recode.ts'
import { lostSegments, rot } from './cases/rot.ts'
import { stopped } from './cases/stopped.ts'
import { topology } from './cases/topology.ts'
import { zoneLost } from './cases/zone-lost.ts'
import type { ChaosCase } from './chaos-case.ts'

export const cases: readonly ChaosCase[] = [
  kill,
  zoneLost,
  rot,
  lostSegments,
  fullDisk,
  failingDisk,
  stopped,
  topology,
  recode,
  metadataProcess,
  metadataOnPostgres,
  metadataOnEtcd,
]
