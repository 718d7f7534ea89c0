/**
 * The router: method, path and query of a request → the operation it asks for.
 *
 * Compiled at start from all operations of the SDK, built or not, so that an operation that is not built is refused by
 * its own name. Unknown query keys are ignored, as AWS does.
 *
 * Known gaps of the schemas, answered by name as well: the browser's POST form (`PostObject`), and ListDirectoryBuckets,
 * which only `x-id` tells from ListBuckets. CORS preflights (`OPTIONS`) do not come here.
 */
import { invalidArgument, S3Error } from '../errors/s3-error.ts'
import type { OperationShape } from './model.ts'
import { routeRule, type Level, type RouteRule } from './route-rules.ts'

/** What the router looks at. */
export interface RouteRequest {
  readonly method: string
  /** Undefined when the path names no bucket. */
  readonly bucket: string | undefined
  /** Undefined when the path names no object. */
  readonly key: string | undefined
  /** Decoded query; of repeated keys the first. */
  readonly query: ReadonlyMap<string, string>
  /** Value of a request header by its lower-case name. */
  header(name: string): string | undefined
}

/**
 * Throws `MethodNotAllowed` when the resource has no such method, `InvalidArgument` when the query names two
 * sub-resources, and `NotImplemented` for the known gaps.
 */
export type Router = (request: RouteRequest) => Pick<OperationShape, 'name'>

/** The browser's form upload, which no schema describes; see gateway/post-object. */
export const postObject: Pick<OperationShape, 'name'> = { name: 'PostObject' }

export function compileRouter(operations: Iterable<OperationShape>): Router {
  const groups = new Map<string, RouteRule[]>()
  const subresources = new Set<string>()
  const literalPaths = new Map<string, RouteRule>()
  for (const operation of operations) {
    const rule = routeRule(operation)
    const [path = '/'] = operation.uri.split('?')
    if (path !== '/' && path !== '/{Key+}') {
      literalPaths.set(`${operation.method} ${path}`, rule)
      continue
    }
    if (rule.subresource !== undefined) subresources.add(rule.subresource)
    const groupKey = groupOf(operation.method, rule.level, rule.subresource)
    const group = groups.get(groupKey)
    if (group) group.push(rule)
    else groups.set(groupKey, [rule])
  }

  return (request) => {
    const { method, bucket, key } = request
    const level: Level = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
    if (bucket !== undefined && key === undefined) {
      const rule = literalPaths.get(`${method} /${bucket}`)
      if (rule && score(rule, request)?.missing === 0) return rule.operation
    }
    const subresource = subresourceOf(request.query, subresources)
    if (subresource === undefined) refuseListType(level, request)
    const rule = best(groups.get(groupOf(method, level, subresource)) ?? [], request)
    if (rule) return rule.operation
    if (method === 'POST' && level === 'bucket' && subresource === undefined) {
      return postObject
    }
    const allowed = methods.filter((other) => groups.has(groupOf(other, level, subresource)))
    throw new S3Error('MethodNotAllowed', {
      fields: { Method: method, ResourceType: (subresource ?? level).toUpperCase() },
      // RFC 9110 §15.5.6 asks for the list, empty or not.
      headers: { allow: allowed.join(', ') },
    })
  }
}

/** Of listings there are a first version, which has no type, and a second. */
function refuseListType(level: Level, { method, query }: RouteRequest): void {
  const type = query.get('list-type')
  if (level !== 'bucket' || method !== 'GET' || type === undefined || type === '2') return
  throw invalidArgument('list-type', type, 'Invalid List Type specified in Request')
}

const methods = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']

/** The refusal of an operation that is not built, by its name. */
export function notImplemented(operation: string): S3Error {
  return new S3Error('NotImplemented', {
    message: `A header or query you provided implies functionality that is not implemented: ${operation}`,
    fields: { Operation: operation },
  })
}

const groupOf = (method: string, level: Level, subresource: string | undefined): string =>
  `${method} ${level} ${subresource ?? ''}`

function subresourceOf(
  query: ReadonlyMap<string, string>,
  subresources: ReadonlySet<string>,
): string | undefined {
  let found: string | undefined
  for (const key of query.keys()) {
    if (!subresources.has(key)) continue
    if (found !== undefined) {
      throw invalidArgument('ResourceType', found, `Conflicting query string parameters: ${found}, ${key}`)
    }
    found = key
  }
  return found
}

interface Score {
  /** Conditions that tell this operation from its neighbours and hold. */
  readonly present: number
  /** Required members that are absent. */
  readonly missing: number
}

/** Undefined when a literal query value does not hold. */
function score(rule: RouteRule, request: RouteRequest): Score | undefined {
  for (const [key, value] of rule.literals) if (request.query.get(key) !== value) return undefined
  let present = rule.literals.length
  for (const key of rule.requiredQuery) if (request.query.has(key)) present++
  for (const name of rule.requiredHeaders) if (request.header(name) !== undefined) present++
  const required = rule.requiredQuery.length + rule.requiredHeaders.length
  return { present, missing: required - (present - rule.literals.length) }
}

/**
 * The operation most of whose marks are present; among equals, the one that misses least. So `?uploadId` without
 * `partNumber` on a PUT is an UploadPart that lacks a member, and never a PutObject that drops one.
 */
function best(group: readonly RouteRule[], request: RouteRequest): RouteRule | undefined {
  let winner: RouteRule | undefined
  let winning: Score = { present: -1, missing: 0 }
  for (const rule of group) {
    const candidate = score(rule, request)
    if (!candidate) continue
    if (candidate.present === 0 && candidate.missing > 0 && rule.subresource === undefined) continue
    const better =
      candidate.present > winning.present ||
      (candidate.present === winning.present && candidate.missing < winning.missing)
    if (better) [winner, winning] = [rule, candidate]
  }
  return winner
}
