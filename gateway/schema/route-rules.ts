/**
 * How one operation is recognised, derived from its schema: method, level, sub-resource, literal query values, and the
 * required members that tell it from its neighbours.
 */
import type { OperationShape } from './model.ts'

/** What the path names: nothing, a bucket, or an object. */
export type Level = 'service' | 'bucket' | 'object'

export interface RouteRule {
  readonly operation: OperationShape
  readonly level: Level
  /** Query key without a value in the schema's URI, e.g. `uploads`: names a sub-resource. */
  readonly subresource: string | undefined
  /** Query pairs with a value in the schema's URI, e.g. `list-type=2`. */
  readonly literals: readonly (readonly [key: string, value: string])[]
  /** Query keys bound to required members, e.g. `uploadId`. */
  readonly requiredQuery: readonly string[]
  /** Headers bound to required members, lower case, e.g. `x-amz-copy-source`. */
  readonly requiredHeaders: readonly string[]
}

/**
 * Operations that nothing in the request but the SDK's own `x-id` tells apart from another one:
 * ListDirectoryBuckets is meant for another endpoint (`s3express-control`), where `GET /` is not ListBuckets.
 */
const toldApartByXId = new Set(['ListDirectoryBuckets'])

export function routeRule(operation: OperationShape): RouteRule {
  const [, query = ''] = operation.uri.split('?')
  const pairs = query === '' ? [] : query.split('&').map((pair) => splitPair(pair))
  const literals = pairs.filter(
    ([key, value]) => value !== '' && (key !== 'x-id' || toldApartByXId.has(operation.name)),
  )
  const subresources = pairs.filter(([, value]) => value === '').map(([key]) => key)
  if (subresources.length > 1) throw new Error(`${operation.name}: more than one sub-resource`)
  const required = operation.input.members.filter((member) => member.required)
  return {
    operation,
    level: levelOf(operation),
    subresource: subresources[0],
    literals,
    requiredQuery: required.flatMap(({ traits }) => traits.httpQuery ?? []),
    requiredHeaders: required.flatMap(({ traits }) => traits.httpHeader?.toLowerCase() ?? []),
  }
}

function levelOf(operation: OperationShape): Level {
  if (operation.uri.startsWith('/{Key+}')) return 'object'
  return operation.input.members.some(({ name, traits }) => name === 'Bucket' && traits.httpLabel)
    ? 'bucket'
    : 'service'
}

function splitPair(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=')
  return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
}
