import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { S3Error } from '../errors/s3-error.ts'
import { parseTarget } from '../http/target.ts'
import { s3Operations } from './operations.ts'
import { compileRouter } from './router.ts'

const router = compileRouter(s3Operations.values())

function route(request: string, headers: Readonly<Record<string, string>> = {}): string {
  const [method = '', target = ''] = request.split(' ')
  return router({ ...parseTarget(target, 'localhost', []), method, header: (name) => headers[name] }).name
}

describe('the router', () => {
  it('knows every operation of the package', () => {
    assert.equal(s3Operations.size, 112)
  })

  const copy = { 'x-amz-copy-source': '/b/k' }
  const cases: readonly (readonly [
    request: string,
    operation: string,
    headers?: Readonly<Record<string, string>>,
  ])[] = [
    ['GET /', 'ListBuckets'],
    ['GET /?x-id=ListDirectoryBuckets', 'ListDirectoryBuckets'],
    ['GET /?x-id=Whatever&max-buckets=1', 'ListBuckets'],
    ['PUT /bucket', 'CreateBucket'],
    ['PUT /bucket/', 'CreateBucket'],
    ['HEAD /bucket', 'HeadBucket'],
    ['DELETE /bucket', 'DeleteBucket'],
    ['GET /bucket', 'ListObjects'],
    ['GET /bucket?list-type=2', 'ListObjectsV2'],
    ['GET /bucket?prefix=a&list-type=2&unknown=1', 'ListObjectsV2'],
    ['GET /bucket?versions', 'ListObjectVersions'],
    ['GET /bucket?location', 'GetBucketLocation'],
    ['GET /bucket?uploads', 'ListMultipartUploads'],
    ['GET /bucket?analytics', 'ListBucketAnalyticsConfigurations'],
    ['GET /bucket?analytics&id=1', 'GetBucketAnalyticsConfiguration'],
    ['DELETE /bucket?analytics', 'DeleteBucketAnalyticsConfiguration'],
    ['POST /bucket?delete', 'DeleteObjects'],
    ['POST /bucket?delete=', 'DeleteObjects'],
    ['GET /bucket/key', 'GetObject'],
    ['GET /bucket/key?partNumber=1', 'GetObject'],
    ['GET /bucket/key?versionId=1&response-expires=x', 'GetObject'],
    ['GET /bucket/key?uploadId=1', 'ListParts'],
    ['GET /bucket/key?uploadId=', 'ListParts'],
    ['GET /bucket/key?partNumber=1&uploadId=1', 'ListParts'],
    ['GET /bucket/key?acl&versionId=1', 'GetObjectAcl'],
    ['GET /bucket/key?attributes', 'GetObjectAttributes'],
    ['GET /bucket/key?annotation', 'ListObjectAnnotations'],
    ['GET /bucket/key?annotation&annotationName=a', 'GetObjectAnnotation'],
    ['PUT /bucket/key', 'PutObject'],
    ['PUT /bucket/key', 'CopyObject', copy],
    ['PUT /bucket/key?partNumber=1&uploadId=1', 'UploadPart'],
    ['PUT /bucket/key?partNumber=1&uploadId=1', 'UploadPartCopy', copy],
    // A part that lacks a mark is never an object: that would lose the client's intention.
    ['PUT /bucket/key?partNumber=1', 'UploadPart'],
    ['PUT /bucket/key?uploadId=1', 'UploadPart'],
    ['POST /bucket/key?uploads', 'CreateMultipartUpload'],
    ['POST /bucket/key?uploadId=1', 'CompleteMultipartUpload'],
    ['POST /bucket/key?select&select-type=2', 'SelectObjectContent'],
    ['DELETE /bucket/key', 'DeleteObject'],
    ['DELETE /bucket/key?uploadId=1', 'AbortMultipartUpload'],
    [
      'POST /WriteGetObjectResponse',
      'WriteGetObjectResponse',
      { 'x-amz-request-route': 'r', 'x-amz-request-token': 't' },
    ],
  ]
  for (const [request, operation, headers] of cases) {
    it(`${request}${headers ? ' with headers' : ''}: ${operation}`, () => {
      assert.equal(route(request, headers), operation)
    })
  }

  it('refuses a method that the resource does not have, naming both', () => {
    const refusals: readonly (readonly [request: string, resource: string])[] = [
      ['POST /', 'SERVICE'],
      ['HEAD /', 'SERVICE'],
      ['POST /bucket/key', 'OBJECT'],
      ['PATCH /bucket', 'BUCKET'],
      ['DELETE /bucket?acl', 'ACL'],
      ['DELETE /bucket?versions', 'VERSIONS'],
      ['PUT /bucket/key?policy', 'POLICY'],
      ['GET /?acl', 'ACL'],
      ['POST /bucket/key?select', 'SELECT'],
    ]
    for (const [request, resource] of refusals) {
      assert.throws(
        () => route(request),
        (error) =>
          error instanceof S3Error &&
          error.code === 'MethodNotAllowed' &&
          error.fields['ResourceType'] === resource &&
          error.fields['Method'] === request.split(' ')[0],
        request,
      )
    }
  })

  it('tells which methods there are', () => {
    const allowed = (request: string) => {
      try {
        return route(request)
      } catch (error) {
        return error instanceof S3Error ? error.headers['allow'] : undefined
      }
    }
    assert.equal(allowed('DELETE /bucket?acl'), 'GET, PUT')
    assert.equal(allowed('PATCH /bucket/key'), 'GET, HEAD, PUT, POST, DELETE')
    assert.equal(allowed('GET /?acl'), '')
  })

  it('refuses two sub-resources at once', () => {
    assert.throws(() => route('GET /bucket?acl&tagging'), /Conflicting query string parameters: acl, tagging/)
  })

  it('knows listings of type 2 only', () => {
    for (const type of ['1', '3', '']) {
      assert.throws(() => route(`GET /bucket?list-type=${type}`), /Invalid List Type specified in Request/)
    }
  })

  it('names the known gaps', () => {
    assert.equal(route('POST /bucket'), 'PostObject')
  })
})
