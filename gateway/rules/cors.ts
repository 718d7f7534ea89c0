/**
 * Which rule of a bucket's CORS configuration lets a page of another origin make a request, and what the answer says.
 *
 * The first rule that fits decides. An actual request is asked about as its preflight would be: S3 takes
 * Access-Control-Request-Method for the method where a request carries it, and holds Access-Control-Request-Headers
 * against the rule, whatever the request is (recorded answers of AWS in localstack's `test_s3_cors.py`).
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
 */
import type { CorsRule } from '../../proto/gen/ashlar/v1/records_pb.js'

/** The parts of a rule that are looked at. */
export type CorsPolicyRule = Pick<
  CorsRule,
  'allowedOrigins' | 'allowedMethods' | 'allowedHeaders' | 'exposeHeaders' | 'maxAgeSeconds'
>

/** What a page of another origin wants to do. */
export interface CrossOriginRequest {
  readonly origin: string
  /** Upper case, as HTTP has it. */
  readonly method: string
  /** Names of the headers it would send; upper and lower case are one. */
  readonly headers: readonly string[]
}

/** The first rule that allows the request. */
export function findCorsRule<Rule extends CorsPolicyRule>(
  rules: readonly Rule[],
  { origin, method, headers }: CrossOriginRequest,
): Rule | undefined {
  const names = new Set(headers.map((name) => name.toLowerCase()))
  return rules.find(
    ({ allowedOrigins, allowedMethods, allowedHeaders }) =>
      allowedOrigins.some((pattern) => matchesPattern(pattern, origin)) &&
      allowedMethods.includes(method) &&
      allowsHeaders(allowedHeaders, names),
  )
}

/** Anybody may ask, about thousands of names, and a rule may have a thousand patterns: most are looked up, not tried. */
function allowsHeaders(allowedHeaders: readonly string[], names: ReadonlySet<string>): boolean {
  if (names.size === 0) return true
  const patterns = new Set(allowedHeaders.map((pattern) => pattern.toLowerCase()))
  if (patterns.has('*')) return true
  const wildcards = [...patterns].filter((pattern) => pattern.includes('*'))
  return names
    .values()
    .every((name) => patterns.has(name) || wildcards.some((pattern) => matchesPattern(pattern, name)))
}

/**
 * The headers of an answer to a request that `rule` allows, by lower-case name. A rule with the origin `*` is answered
 * with `*`, to which browsers give no credentials; every other one with the origin itself.
 */
export function corsHeaders(
  { allowedOrigins, allowedMethods, exposeHeaders, maxAgeSeconds }: CorsPolicyRule,
  { origin, headers }: CrossOriginRequest,
): Map<string, string> {
  const anyOrigin = allowedOrigins.includes('*')
  const answer = new Map([['access-control-allow-origin', anyOrigin ? '*' : origin]])
  answer.set('access-control-allow-methods', allowedMethods.join(', '))
  if (headers.length > 0) {
    answer.set('access-control-allow-headers', headers.map((name) => name.toLowerCase()).join(', '))
  }
  if (exposeHeaders.length > 0) answer.set('access-control-expose-headers', exposeHeaders.join(', '))
  if (maxAgeSeconds !== undefined) answer.set('access-control-max-age', String(maxAgeSeconds))
  if (!anyOrigin) answer.set('access-control-allow-credentials', 'true')
  answer.set('vary', 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method')
  return answer
}

/** The names of Access-Control-Request-Headers: separated by commas, blanks around them, empty ones left out. */
export function splitHeaderNames(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** A header's name. Source: RFC 9110 §5.1 and §5.6.2, token. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)
}

/** True when `text` is `pattern`, with whatever in the place of its one `*`. */
function matchesPattern(pattern: string, text: string): boolean {
  const star = pattern.indexOf('*')
  if (star < 0) return pattern === text
  const [head, tail] = [pattern.slice(0, star), pattern.slice(star + 1)]
  return text.length >= head.length + tail.length && text.startsWith(head) && text.endsWith(tail)
}
