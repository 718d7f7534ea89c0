/**
 * What S3 takes as a CORS configuration, and what it says of the rest.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html
 */
import type { CORSRule } from '@aws-sdk/client-s3'
import { CORS_MAX_AGE_SECONDS_MAX, CORS_RULE_ID_LENGTH_MAX, CORS_RULES_MAX } from '../../core/limits.ts'
import type { CorsRule } from '../../proto/gen/ashlar/v1/records_pb.js'
import { S3Error } from '../errors/s3-error.ts'
import { isHeaderName } from './cors.ts'

/** A rule as records keep it. */
export type CorsRuleRecord = Omit<CorsRule, '$typeName' | '$unknown'>

const METHODS: ReadonlySet<string> = new Set(['GET', 'PUT', 'POST', 'DELETE', 'HEAD'])

/** A rule as documents have it; the reader has seen to it that methods and origins are there. */
type RuleDocument = Omit<CORSRule, 'AllowedMethods' | 'AllowedOrigins'> & {
  readonly AllowedMethods: readonly string[]
  readonly AllowedOrigins: readonly string[]
}

/**
 * The rules of a document, in its order.
 *
 * The messages are those of AWS. Not documented, and chosen: the shape of the whole document comes before the values of
 * any rule; an ID that is too long, and seconds that no 32-bit count holds, are MalformedXML.
 * @throws {S3Error} MalformedXML; InvalidRequest for more than 100 rules, for a method that is none of the five, for
 *   more than one `*` in an origin or header, for any in an exposed header, and for what cannot be a header's name
 */
export function checkCorsRules(rules: readonly RuleDocument[]): CorsRuleRecord[] {
  if (rules.length === 0 || !rules.every(isWellFormed)) throw new S3Error('MalformedXML')
  if (rules.length > CORS_RULES_MAX) {
    throw invalid(`The number of CORS rules should not exceed allowed limit of ${CORS_RULES_MAX} rules.`)
  }
  for (const rule of rules) checkValues(rule)
  return rules.map(
    ({ ID, AllowedMethods, AllowedOrigins, AllowedHeaders, ExposeHeaders, MaxAgeSeconds }) => ({
      id: ID ?? '',
      allowedMethods: [...AllowedMethods],
      allowedOrigins: [...AllowedOrigins],
      allowedHeaders: [...(AllowedHeaders ?? [])],
      exposeHeaders: [...(ExposeHeaders ?? [])],
      ...(MaxAgeSeconds === undefined ? {} : { maxAgeSeconds: MaxAgeSeconds }),
    }),
  )
}

function isWellFormed({ ID = '', MaxAgeSeconds = 0 }: RuleDocument): boolean {
  return (
    ID.length <= CORS_RULE_ID_LENGTH_MAX && MaxAgeSeconds >= 0 && MaxAgeSeconds <= CORS_MAX_AGE_SECONDS_MAX
  )
}

function checkValues({
  AllowedMethods,
  AllowedOrigins,
  AllowedHeaders = [],
  ExposeHeaders = [],
}: RuleDocument) {
  for (const method of AllowedMethods) {
    if (!METHODS.has(method)) {
      throw invalid(`Found unsupported HTTP method in CORS config. Unsupported method is ${method}`)
    }
  }
  for (const origin of AllowedOrigins) requireOneWildcard('AllowedOrigin', origin)
  for (const header of AllowedHeaders) {
    requireOneWildcard('AllowedHeader', header)
    requireHeaderName('AllowedHeader', header)
  }
  for (const header of ExposeHeaders) {
    if (header.includes('*')) {
      throw invalid(
        `ExposeHeader "${header}" contains wildcard. We currently do not support wildcard for ExposeHeader.`,
      )
    }
    requireHeaderName('ExposeHeader', header)
  }
}

function requireOneWildcard(element: string, value: string): void {
  if (value.indexOf('*') !== value.lastIndexOf('*')) {
    throw invalid(`${element} "${value}" can not have more than one wildcard.`)
  }
}

/** Exposed ones go out in a header as they are. */
function requireHeaderName(element: string, value: string): void {
  if (!isHeaderName(value)) throw invalid(`${element} "${value}" contains invalid character.`)
}

function invalid(message: string): S3Error {
  return new S3Error('InvalidRequest', { message })
}
