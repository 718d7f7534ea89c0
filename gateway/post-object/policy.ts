/**
 * The policy document of a browser's form: until when, and what the form may say.
 *
 * Source: S3 API Reference, "POST Policy". Codes, statuses and messages are those of the service, as public test suites and
 * bug reports recorded them; of the order of its checks only this is known: the document's form, its expiration, and then
 * the conditions. Conditions are judged in their order, and then what no condition spoke about (chosen: that the service
 * names fields as "extra" says that they are what is left over).
 */
import { POST_POLICY_CONDITIONS_MAX } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'
import { arrayElements, memberValue } from './json-source.ts'

export interface PostPolicy {
  /** Unix milliseconds. */
  readonly expirationMs: number
  readonly conditions: readonly Condition[]
}

export type Condition = FieldCondition | SizeCondition

/** A field, and what it must be or begin with. */
export interface FieldCondition {
  readonly kind: 'eq' | 'starts-with'
  /** Lower case, without `$`. */
  readonly field: string
  readonly value: string
  /** As the refusal shows it. */
  readonly source: string
}

/** The file's bytes, both ends included. */
export interface SizeCondition {
  readonly kind: 'content-length-range'
  readonly min: number
  readonly max: number
}

/** The bytes a file may have. */
export interface SizeRange {
  readonly min: number
  readonly max: number
}

/** Reads a policy, base64 of JSON. @throws {S3Error} InvalidPolicyDocument */
export function parsePostPolicy(base64: string): PostPolicy {
  const text = decode(base64)
  const document = parseJson(text)
  if (!isRecord(document)) throw invalid('Invalid JSON.')
  const { expiration, conditions } = document
  if (expiration === undefined) throw invalid('Policy missing expiration.')
  if (conditions === undefined) throw invalid('Policy missing conditions.')
  const unexpected = Object.keys(document).find((name) => name !== 'expiration' && name !== 'conditions')
  if (unexpected !== undefined) throw invalid(`Unexpected: "${unexpected}"`)
  if (!Array.isArray(conditions)) throw invalid(`Invalid 'conditions' value: must be a List.`)
  if (conditions.length > POST_POLICY_CONDITIONS_MAX) throw invalid('Too many conditions.')
  if (typeof expiration !== 'string') throw invalid('Invalid JSON.')
  const sources = arrayElements(memberValue(text, 'conditions'))
  return {
    expirationMs: parseExpiration(expiration),
    conditions: conditions.map((condition: unknown, i) => parseCondition(condition, sources[i] ?? '')),
  }
}

/**
 * Holds a form against its policy; what is left to check is the file's size, as it comes.
 * @param fields by lower-case name, as text; `bucket` among them, which the form may lack and the policy may not
 * @throws {S3Error} AccessDenied
 */
export function checkPostPolicy(
  { expirationMs, conditions }: PostPolicy,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): SizeRange {
  if (nowMs >= expirationMs) throw denied('Policy expired.')
  const range = { min: 0, max: Number.MAX_SAFE_INTEGER }
  const covered = new Set<string>()
  for (const condition of conditions) {
    if (condition.kind === 'content-length-range') {
      range.min = Math.max(range.min, condition.min)
      range.max = Math.min(range.max, condition.max)
    } else {
      if (!holds(condition, fields.get(condition.field))) {
        throw denied(`Policy Condition failed: ${condition.source}`)
      }
      covered.add(condition.field)
    }
  }
  const extra = Array.from(fields.keys()).filter((name) => !covered.has(name) && !needsNoCondition(name))
  if (extra.length > 0) throw denied(`Extra input fields: ${extra.join(', ')}`)
  return range
}

/** Source: "POST Policy": every field but these must appear in the conditions. */
function needsNoCondition(field: string): boolean {
  return (
    field === 'file' || field === 'policy' || field === 'x-amz-signature' || field.startsWith('x-ignore-')
  )
}

function holds({ kind, field, value }: FieldCondition, given: string | undefined): boolean {
  if (given === undefined) return false
  if (kind === 'eq') return given === value
  // A Content-Type may be a list, each item of which must match.
  if (field === 'content-type') return given.split(',').every((item) => item.trim().startsWith(value))
  return given.startsWith(value)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(base64: string): string {
  const compact = base64.replace(/\s+/g, '')
  if (compact === '') throw invalid(`Expecting '{' but found End-of-Input`)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact) || compact.replace(/=+$/, '').length % 4 === 1) {
    throw invalid('invalid Base64 encoding.')
  }
  try {
    return plainEscapes(utf8.decode(Buffer.from(compact, 'base64')))
  } catch {
    throw invalid('Invalid JSON.')
  }
}

/** S3's documents may escape a dollar sign and a vertical tab, which JSON does not know. */
function plainEscapes(text: string): string {
  return text.replace(/\\[\s\S]/g, (pair) => (pair === '\\$' ? '$' : pair === '\\v' ? '\\u000b' : pair))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('Invalid JSON.')
  }
}

function parseExpiration(text: string): number {
  const form = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/
  const ms = form.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`Invalid 'expiration' value: '${text}'`)
  return ms
}

function parseCondition(condition: unknown, source: string): Condition {
  if (Array.isArray(condition)) return parseTest(condition, source)
  if (!isRecord(condition)) throw invalid('Invalid condition test: must be a List or Object.')
  const [entry, ...others] = Object.entries(condition)
  if (entry === undefined || others.length > 0) {
    throw invalid('Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.')
  }
  const [name, value] = entry
  if (typeof value !== 'string') throw invalid('Invalid Simple-Condition: value must be a string.')
  return { kind: 'eq', field: name.toLowerCase(), value, source: `["eq", "$${name}", "${value}"]` }
}

function parseTest(parts: readonly unknown[], source: string): Condition {
  const [operation, subject, value] = parts
  if (parts.length === 0) throw invalid('Invalid Condition: missing operation identifier.')
  if (typeof operation !== 'string') throw invalid('Invalid JSON.')
  const kind = operation.toLowerCase()
  if (kind !== 'eq' && kind !== 'starts-with' && kind !== 'content-length-range') {
    throw invalid(`Invalid Condition: unknown operation '${operation}'.`)
  }
  if (parts.length !== 3) throw invalid(`Invalid ${operation}: wrong number of arguments.`)
  if (kind === 'content-length-range') return { kind, min: parseSize(subject), max: parseSize(value) }
  if (typeof subject !== 'string' || (typeof value !== 'string' && typeof value !== 'number')) {
    throw invalid('Invalid JSON.')
  }
  // A name without its dollar sign is no field's.
  const field = subject.startsWith('$') ? subject.slice(1).toLowerCase() : ''
  return { kind, field, value: String(value), source }
}

/** Whole bytes, as a number or in quotes. */
function parseSize(value: unknown): number {
  const size = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof size !== 'number' || !Number.isSafeInteger(size)) throw invalid('Invalid JSON.')
  return size
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(detail: string): S3Error {
  return new S3Error('InvalidPolicyDocument', { message: `Invalid Policy: ${detail}` })
}

function denied(detail: string): S3Error {
  return new S3Error('AccessDenied', { message: `Invalid according to Policy: ${detail}` })
}
