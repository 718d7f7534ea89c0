import { ERASURE_SHARDS_MAX, LOCAL_CODE_SETS_MAX } from '../limits.ts'
import { fatalByCount, fewestFatal, type LocalShape } from './local.ts'

/**
 * How the bytes of a stripe become shards.
 *
 * - `rs`: `k` data shards and `m` parity shards; any `k` of the `total` restore the stripe.
 * - `replica`: `total` identical shards, which is `k = 1, m = total - 1`.
 * - `lrc`, locally repairable: `k` data shards and `r` global parities, any `k` of which restore the stripe, in `l` local groups
 *   with a local parity each, by which a single lost shard is repaired from its group alone (see local.ts). Which shards are
 *   lost matters: `m` can be lost whichever they are, and many sets of more (see repair.ts).
 *
 * Shards are numbered 0 … total-1: data first (0 … k-1), then parity; of `lrc` the globals, then the locals.
 */
export interface Code {
  /** The canonical name, as recorded in object records: `rs-4-2`, `replica-3`, `lrc-6-3-3`. */
  readonly name: string
  readonly kind: 'rs' | 'replica' | 'lrc'
  /** Data shards a stripe. */
  readonly k: number
  /** Shards a stripe can lose, whichever they are: its minimum distance less one. */
  readonly m: number
  /** Shards a stripe: k + m, but for `lrc`, where it is k + r + l. */
  readonly total: number
  /** Of `lrc` alone: its numbers. */
  readonly local?: LocalShape
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

const KNOWN =
  'expected rs-<data>-<parity> (such as rs-4-2), replica-<copies> (such as replica-3) or lrc-<data>-<groups>-<global parities> (such as lrc-6-3-3)'
const COUNT = '(0|[1-9][0-9]{0,2})'
const RS = new RegExp(`^rs-${COUNT}-${COUNT}$`)
const REPLICA = new RegExp(`^replica-${COUNT}$`)
const LRC = new RegExp(`^lrc-${COUNT}-${COUNT}-${COUNT}$`)

const parsed = new Map<string, Code>()

/**
 * Reads the name of a code. The same name gives the same (frozen) object.
 *
 * Names are canonical: lower case, decimal, no leading zeros, so that two records of one code are equal as strings.
 *
 * The first reading of a locally repairable code works out what it can lose: a millisecond for a dozen shards.
 *
 * @throws {CodeNameError} when the form is unknown, there are no data shards, more than 32 shards, or local groups that are
 *   not equal.
 */
export function parseCode(name: string): Code {
  const known = parsed.get(name)
  if (known !== undefined) return known
  // Only valid names are remembered, and there are fewer than 3,000 of them: the map cannot grow without bound.
  const code = Object.freeze(read(name))
  parsed.set(name, code)
  return code
}

/** The Reed–Solomon code of `k` data and `m` parity shards; the same bounds and errors as {@link parseCode}. */
export function rsCode(k: number, m: number): Code {
  return parseCode(`rs-${k}-${m}`)
}

/** The locally repairable code of these numbers; the same bounds and errors as {@link parseCode}. */
export function localCode({ k, l, r }: LocalShape): Code {
  return parseCode(`lrc-${k}-${l}-${r}`)
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
  const lrc = LRC.exec(name)
  if (lrc !== null) return readLocal(name, { k: Number(lrc[1]), l: Number(lrc[2]), r: Number(lrc[3]) })
  throw new CodeNameError(name, KNOWN)
}

/**
 * Groups must be equal, so that over l zones each lies in one and all zones hold as much; k + r a multiple of l is all that
 * takes. A zone of l holds one group, and the others restore it if k <= r · (l - 1).
 */
function readLocal(name: string, local: LocalShape): Code {
  const { k, l, r } = local
  const total = k + l + r
  // Globals of one data shard are copies, and cancel in the sums of their groups.
  if (k < 2) throw new CodeNameError(name, 'needs at least two data shards')
  if (l < 1) throw new CodeNameError(name, 'needs at least one local group')
  if (r < 1) throw new CodeNameError(name, 'needs at least one global parity')
  if ((k + r) % l !== 0) {
    throw new CodeNameError(
      name,
      `${k} + ${r} data and global shards cannot be dealt evenly into ${l} groups`,
    )
  }
  bounded({ name, total })
  const size = Math.min(fatalByCount(local, []) - 1, Math.floor(total / 2))
  if (choose(total, size) > LOCAL_CODE_SETS_MAX) {
    throw new CodeNameError(name, 'too wide: what it can lose would take too long to work out')
  }
  const m = fewestFatal(local, [], r + 1) - 1
  return Object.freeze({ name, kind: 'lrc', k, m, total, local: Object.freeze(local) })
}

/** How many sets of `size` there are of `n` things. */
function choose(n: number, size: number): number {
  let sets = 1
  for (let i = 1; i <= size; i++) sets = (sets * (n - size + i)) / i
  return sets
}

function bounded<T extends Pick<Code, 'name' | 'total'>>(code: T): T {
  if (code.total <= ERASURE_SHARDS_MAX) return code
  throw new CodeNameError(
    code.name,
    `${code.total} shards a stripe; at most ${ERASURE_SHARDS_MAX} are supported`,
  )
}
