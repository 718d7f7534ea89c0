import { ERASURE_SHARDS_MAX } from '../limits.ts'

/**
 * How the bytes of a stripe become shards.
 *
 * - `rs`: `k` data shards and `m` parity shards; any `k` of the `total` restore the stripe.
 * - `replica`: `total` identical shards, which is `k = 1, m = total - 1`.
 *
 * Shards are numbered 0 … total-1: data first (0 … k-1), then parity.
 */
export interface Code {
  /** The canonical name, as recorded in object records: `rs-4-2`, `replica-3`. */
  readonly name: string
  readonly kind: 'rs' | 'replica'
  /** Data shards a stripe. */
  readonly k: number
  /** Shards a stripe can lose. */
  readonly m: number
  /** k + m: shards a stripe. */
  readonly total: number
}

/** A code's name is not one Ashlar knows, or its numbers are out of bounds. */
export class CodeNameError extends Error {
  override readonly name = 'CodeNameError'
  /** The name as it was given. */
  readonly given: string

  constructor(given: string, reason: string) {
    super(`erasure code ${JSON.stringify(given)}: ${reason}`)
    this.given = given
  }
}

const KNOWN = 'expected rs-<data>-<parity> (such as rs-4-2) or replica-<copies> (such as replica-3)'
const COUNT = '(0|[1-9][0-9]{0,2})'
const RS = new RegExp(`^rs-${COUNT}-${COUNT}$`)
const REPLICA = new RegExp(`^replica-${COUNT}$`)

const parsed = new Map<string, Code>()

/**
 * Reads the name of a code. The same name gives the same (frozen) object.
 *
 * Names are canonical: lower case, decimal, no leading zeros, so that two records of one code are equal as strings.
 *
 * @throws {CodeNameError} when the form is unknown, there are no data shards, or more than 32 shards.
 */
export function parseCode(name: string): Code {
  const known = parsed.get(name)
  if (known !== undefined) return known
  // Only valid names are remembered, and there are fewer than 600 of them: the map cannot grow without bound.
  const code = Object.freeze(read(name))
  parsed.set(name, code)
  return code
}

/** The Reed–Solomon code of `k` data and `m` parity shards; the same bounds and errors as {@link parseCode}. */
export function rsCode(k: number, m: number): Code {
  return parseCode(`rs-${k}-${m}`)
}

/** The code of `copies` identical shards; the same bounds and errors as {@link parseCode}. */
export function replicaCode(copies: number): Code {
  return parseCode(`replica-${copies}`)
}

function read(name: string): Code {
  const rs = RS.exec(name)
  if (rs !== null) {
    const k = Number(rs[1])
    const m = Number(rs[2])
    if (k < 1) throw new CodeNameError(name, 'needs at least one data shard')
    return bounded({ name, kind: 'rs', k, m, total: k + m })
  }
  const replica = REPLICA.exec(name)
  if (replica !== null) {
    const copies = Number(replica[1])
    if (copies < 1) throw new CodeNameError(name, 'needs at least one copy')
    return bounded({ name, kind: 'replica', k: 1, m: copies - 1, total: copies })
  }
  throw new CodeNameError(name, KNOWN)
}

function bounded(code: Code): Code {
  if (code.total <= ERASURE_SHARDS_MAX) return code
  throw new CodeNameError(
    code.name,
    `${code.total} shards a stripe; at most ${ERASURE_SHARDS_MAX} are supported`,
  )
}
