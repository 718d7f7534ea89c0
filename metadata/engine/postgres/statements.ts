import type { EngineBatch, ScanRequest } from '../engine.ts'
import { byteaArray } from './bytea-array.ts'
import type { Statement } from './connection.ts'

/**
 * The SQL of the engine: what PostgreSQL 14 and YugabyteDB both take. docs/engines.md says why each is right, and what
 * YugabyteDB says of it.
 */
export class Statements {
  readonly #table: string

  /** @param table a name that needs no quotes */
  constructor(table: string) {
    this.#table = table
  }

  exists(): Statement {
    return { text: 'select to_regclass($1) is not null', values: [this.#table] }
  }

  /** YugabyteDB spreads rows by the hash of the first column unless the order is said; PostgreSQL knows no order there. */
  create(isYugabyte: boolean): string {
    return `create table ${this.#table} (key bytea not null, value bytea not null, primary key (key${isYugabyte ? ' asc' : ''}))`
  }

  get(key: Uint8Array): Statement {
    return { name: 'get', text: `select value from ${this.#table} where key = $1`, values: [key] }
  }

  scan({ gte, lt, limit, reverse }: ScanRequest): Statement {
    const direction = reverse === true ? 'desc' : 'asc'
    return {
      name: `scan-${direction}`,
      text: `select key, value from ${this.#table} where key >= $1 and key < $2 order by key ${direction} limit $3`,
      values: [gte, lt, limit],
    }
  }

  /** Rows are numbered by their request, counted from 0, and in any order: one statement is one snapshot. */
  scanTogether(requests: readonly ScanRequest[]): Statement {
    const directions = requests.map(({ reverse }) => (reverse === true ? 'desc' : 'asc'))
    const scans = directions.map((direction, index) => {
      const at = index * 3
      return `(select ${index} as request, key, value from ${this.#table} where key >= $${at + 1} and key < $${at + 2} order by key ${direction} limit $${at + 3})`
    })
    const statement = {
      text: scans.join(' union all '),
      values: requests.flatMap(({ gte, lt, limit }) => [gte, lt, limit]),
    }
    // Few shapes are short; the long ones would fill the sessions with plans.
    return requests.length > 4 ? statement : { ...statement, name: `scans-${directions.join('-')}` }
  }

  /** Fails with division_by_zero unless the fence holds; locks its row until the end of the transaction. */
  checkFence(key: Uint8Array, token: Uint8Array): Required<Statement> {
    return {
      name: 'check-fence',
      text: `select 1 / count(*) from (select 1 from ${this.#table} where key = $1 and value = $2 for update) as held`,
      values: [key, token],
    }
  }

  /** Fails with division_by_zero if there is such a key; else it is there with `value`, and locked. */
  takeFence(key: Uint8Array, value: Uint8Array): Required<Statement> {
    return {
      name: 'take-fence',
      text: `with taken as (insert into ${this.#table} (key, value) values ($1, $2) on conflict (key) do nothing returning 1) select 1 / count(*) from taken`,
      values: [key, value],
    }
  }

  change({ puts, deletes }: Pick<EngineBatch, 'puts' | 'deletes'>): Required<Statement> {
    const put = `insert into ${this.#table} (key, value) select * from unnest($1::bytea[], $2::bytea[]) on conflict (key) do update set value = excluded.value`
    const keys = byteaArray(puts.map(({ key }) => key))
    const values = byteaArray(puts.map(({ value }) => value))
    if (deletes.length === 0) return { name: 'put', text: put, values: [keys, values] }
    return {
      name: 'change',
      text: `with removed as (delete from ${this.#table} where key = any($3::bytea[])) ${put}`,
      values: [keys, values, byteaArray(deletes)],
    }
  }

  /** What the values of keys are, short. */
  digests(keys: readonly Uint8Array[]): Statement {
    return {
      name: 'digests',
      text: `select key, encode(sha256(value), 'hex') from ${this.#table} where key = any($1::bytea[])`,
      values: [byteaArray(keys)],
    }
  }

  /** Rows and bytes from the start of a range, at most `limit` rows. */
  measure(gte: Uint8Array, lt: Uint8Array, limit: number): Statement {
    return {
      name: 'measure',
      text: `select count(*)::int, coalesce(sum(size), 0)::text from (select octet_length(key) + octet_length(value) as size from ${this.#table} where key >= $1 and key < $2 order by key limit $3) as first`,
      values: [gte, lt, limit],
    }
  }

  /** The planner's guess; the table's number of rows says whether it was ever counted. */
  counted(): Statement {
    return {
      name: 'counted',
      text: 'select reltuples::text from pg_class where oid = to_regclass($1)',
      values: [this.#table],
    }
  }

  /** Without a name: a plan for any range would say nothing of this one. */
  explain(gte: Uint8Array, lt: Uint8Array): Statement {
    return {
      text: `explain (format json) select key, value from ${this.#table} where key >= $1 and key < $2`,
      values: [gte, lt],
    }
  }

  /** Touches the table, so that the transaction's snapshot is taken now. */
  touch(): Statement {
    return { text: `select key from ${this.#table} limit 1`, values: [] }
  }
}
