/** Errors as S3 writes them: an XML document, or headers alone where no body may be. */
import { ERROR_FIELD_LENGTH_MAX } from '../../core/limits.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { S3ErrorCode } from '../errors/table.ts'
import { escapeXml, XML_DECLARATION } from '../schema/xml-writer.ts'
import type { OutgoingResponse } from './exchange.ts'

/** What the error document tells of the request. */
export interface ErrorScene {
  readonly requestId: string
  readonly hostId: string
  readonly method: string
  readonly bucket: string | undefined
  readonly key: string | undefined
}

/** Codes whose document names the bucket. */
const namesBucket: ReadonlySet<S3ErrorCode> = new Set([
  'BucketAlreadyExists',
  'BucketAlreadyOwnedByYou',
  'BucketNotEmpty',
  'InvalidBucketName',
  'NoSuchBucket',
  'NoSuchBucketPolicy',
  'NoSuchCORSConfiguration',
  'NoSuchLifecycleConfiguration',
  'NoSuchPublicAccessBlockConfiguration',
  'NoSuchTagSet',
  'NoSuchWebsiteConfiguration',
  'ObjectLockConfigurationNotFoundError',
  'OwnershipControlsNotFoundError',
  'ReplicationConfigurationNotFoundError',
  'ServerSideEncryptionConfigurationNotFoundError',
])

/** Codes whose document names the key. */
const namesKey: ReadonlySet<S3ErrorCode> = new Set(['NoSuchKey', 'NoSuchVersion', 'InvalidObjectState'])

/** What a client is told of anything thrown: an `S3Error` as it is, everything else as `InternalError`. */
export function toS3Error(thrown: unknown): S3Error {
  return thrown instanceof S3Error ? thrown : new S3Error('InternalError')
}

export function errorResponse(error: S3Error, scene: ErrorScene): OutgoingResponse {
  const headers = new Map(Object.entries(error.headers))
  if (scene.method === 'HEAD' || error.status === 304) {
    return { status: error.status, headers, body: undefined }
  }
  headers.set('content-type', 'application/xml')
  return { status: error.status, headers, body: Buffer.from(errorDocument(error, scene)) }
}

/** The `<Error>` document: code, message, further elements, request id, host id. */
export function errorDocument(error: S3Error, scene: ErrorScene): string {
  const fields = new Map<string, string>([
    ['Code', error.code],
    ['Message', error.message],
  ])
  if (namesBucket.has(error.code) && scene.bucket !== undefined) fields.set('BucketName', scene.bucket)
  if (namesKey.has(error.code) && scene.key !== undefined) fields.set('Key', scene.key)
  for (const [name, value] of Object.entries(error.fields)) fields.set(name, value)
  fields.set('RequestId', scene.requestId)
  fields.set('HostId', scene.hostId)
  let content = ''
  for (const [name, value] of fields) {
    content += `<${name}>${escapeXml(value.slice(0, ERROR_FIELD_LENGTH_MAX))}</${name}>`
  }
  return `${XML_DECLARATION}<Error>${content}</Error>`
}
