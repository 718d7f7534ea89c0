/** A whole cluster in one process, and what a check of it finds. */

import { checkAll, type AllRequest } from '../../cli/fsck/check-all.ts'
import type { FsckFinding } from '../../cli/fsck/kinds.ts'
import type { FsckResult } from '../../workers/fsck/check.ts'
import { ObjectReader } from '../../workers/fsck/deep.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import type { WholeCluster } from './cluster.ts'

export interface Checked extends FsckResult {
  readonly findings: readonly FsckFinding[]
}

/** Checks the cluster as it is, with time passing as needed. */
export async function check(
  cluster: Pick<WholeCluster, 'metadata' | 'shards' | 'clock' | 'store'>,
  options: Partial<AllRequest> = {},
): Promise<Checked> {
  const { metadata, shards, clock, store } = cluster
  const findings: FsckFinding[] = []
  const reader = new ObjectReader((content, signal) =>
    store.readObject(
      content as Parameters<typeof store.readObject>[0],
      { start: 0, end: Number(content.size) },
      signal,
    ),
  )
  const result = await clock.drive(
    checkAll(
      { metadata, shards, clock, log: silentLog },
      {
        deep: false,
        reader,
        signal: new AbortController().signal,
        onFinding: (finding) => findings.push(finding),
        ...options,
      },
    ),
  )
  return { ...result, findings }
}

/** Kinds of the findings, each once, in order. */
export function kindsOf({ findings }: Checked): string[] {
  return [...new Set(findings.map(({ kind }) => kind))].toSorted()
}
