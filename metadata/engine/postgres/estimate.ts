import { z } from 'zod'
import type { KeyRange } from '../../../core/keyspace/bytes.ts'
import { POSTGRES_ESTIMATE_ROWS } from '../../../core/limits.ts'
import type { EngineEstimate } from '../engine.ts'
import type { PostgresConnection } from './connection.ts'
import type { Statements } from './statements.ts'

/** Of what EXPLAIN (FORMAT JSON) answers, the plan's guess of rows and of a row's bytes. */
const explained = z
  .array(z.object({ Plan: z.object({ 'Plan Rows': z.number(), 'Plan Width': z.number() }) }))
  .length(1)

/**
 * Counts a short range, and asks the planner about a long one. The planner goes by the statistics of the last ANALYZE, which
 * autovacuum runs; of a table that was never analysed nothing is known.
 */
export async function estimateRange(
  { gte, lt }: KeyRange,
  connection: PostgresConnection,
  statements: Statements,
): Promise<EngineEstimate> {
  const [first = []] = await connection.query(statements.measure(gte, lt, POSTGRES_ESTIMATE_ROWS))
  const [entries, bytes] = first.map(Number)
  if (entries === undefined || bytes === undefined || entries < POSTGRES_ESTIMATE_ROWS) {
    return { entries, bytes }
  }
  const [counted = []] = await connection.query(statements.counted())
  if (!(Number(counted[0]) > 0)) return { entries: undefined, bytes: undefined }
  const [plan = []] = await connection.query(statements.explain(gte, lt))
  const parsed = explained.safeParse(typeof plan[0] === 'string' ? JSON.parse(plan[0]) : plan[0])
  const guess = parsed.data?.[0]?.Plan
  if (guess === undefined) return { entries: undefined, bytes: undefined }
  const rows = Math.max(entries, guess['Plan Rows'])
  // Widths of values that lie outside of their rows are those of pointers: what was counted is the better guess then.
  const width = Math.max(guess['Plan Width'], bytes / entries)
  return { entries: rows, bytes: Math.round(rows * width) }
}
