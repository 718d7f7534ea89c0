import { create } from '@bufbuild/protobuf'
import { IllFormedStringError } from '../core/keyspace/utf8.ts'
import { NewerFormatError } from '../core/records/format.ts'
import { FailureCode, type Reply, ReplySchema, type Request } from '../proto/gen/ashlar/v1/metadata_pb.js'
import { MetadataError } from '../proto/metadata-api.ts'
import type { Log } from '../runtime/ports/log.ts'
import type { Random } from '../runtime/ports/random.ts'
import { answerBackup, type BackupParts } from './backup/requests.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { RiskLedger } from './cluster/risk-ledger.ts'
import { BatchTooLargeError } from './engine/engine.ts'
import { invalidRequest } from './failure.ts'
import type { WorkLeases } from './leases/leases.ts'
import { deleteAnnotation, getAnnotation, listAnnotations, putAnnotation } from './partition/annotations.ts'
import { replaceBlob, resolveBlobs } from './partition/blob-requests.ts'
import { createBucket, deleteBucket, getBucket, listBuckets } from './partition/buckets.ts'
import { completeUpload } from './partition/complete.ts'
import { deleteObject } from './partition/delete-object.ts'
import { listVersions } from './partition/list-versions.ts'
import { commitObject, getManifest, getObject, listObjects } from './partition/objects.ts'
import { acknowledgeOutbox, readOutbox } from './partition/outbox-requests.ts'
import type { Partition } from './partition/partition.ts'
import type { Purger } from './partition/purge.ts'
import { requestRepair } from './partition/repair-requests.ts'
import {
  deleteBucketSetting,
  getBucketSetting,
  putBucketSetting,
  updateBucket,
} from './partition/settings.ts'
import { updateObject } from './partition/update-object.ts'
import type { Room } from './room.ts'
import {
  abortUpload,
  commitPart,
  createUpload,
  getUpload,
  listParts,
  listUploads,
} from './partition/uploads.ts'

export interface MetadataServiceParts {
  readonly partition: Partition
  readonly purger: Purger
  readonly cluster: Cluster
  readonly leases: WorkLeases
  readonly ledger: RiskLedger
  /** Undefined where there is no disk to fill. */
  readonly room: Room | undefined
  readonly backup: BackupParts
  readonly random: Random
  readonly log: Log
}

type Result = Reply['result']

/** Answers requests, whichever way they came. */
export class MetadataService {
  readonly #parts: MetadataServiceParts
  readonly #idle = Promise.withResolvers<undefined>()
  #working = 0
  #closed = false

  constructor(parts: MetadataServiceParts) {
    this.#parts = parts
  }

  /** Never rejects: what is refused or goes wrong is a reply, too. */
  async handle(request: Request): Promise<Reply> {
    let result: Result
    this.#working++
    try {
      if (this.#closed) {
        throw new MetadataError(FailureCode.UNAVAILABLE, 'the metadata service is shutting down')
      }
      await this.#parts.room?.require(request.operation.case)
      result = await this.#answer(request.operation)
    } catch (error) {
      const { code, message, fields } = this.#errorOf(error)
      result = create(ReplySchema, { result: { case: 'failure', value: { code, message, fields } } }).result
    }
    this.#working--
    if (this.#closed && this.#working === 0) this.#idle.resolve(undefined)
    const reply = create(ReplySchema, { id: request.id })
    reply.result = result
    return reply
  }

  /** Takes no more requests and waits for those it has. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#working > 0) await this.#idle.promise
  }

  async #answer(operation: Request['operation']): Promise<Result> {
    const { partition, purger, cluster, leases, ledger, room, random } = this.#parts
    switch (operation.case) {
      case 'createBucket':
        return { case: 'createBucket', value: await createBucket(partition, random, operation.value) }
      case 'getBucket':
        return { case: 'getBucket', value: await getBucket(partition, operation.value) }
      case 'deleteBucket':
        return { case: 'deleteBucket', value: await deleteBucket(partition, purger, operation.value) }
      case 'updateBucket':
        return { case: 'updateBucket', value: await updateBucket(partition, operation.value) }
      case 'putBucketSetting':
        return { case: 'putBucketSetting', value: await putBucketSetting(partition, operation.value) }
      case 'getBucketSetting':
        return { case: 'getBucketSetting', value: await getBucketSetting(partition, operation.value) }
      case 'deleteBucketSetting':
        return { case: 'deleteBucketSetting', value: await deleteBucketSetting(partition, operation.value) }
      case 'listBuckets':
        return { case: 'listBuckets', value: await listBuckets(partition, operation.value) }
      case 'commitObject':
        return { case: 'commitObject', value: await commitObject(partition, operation.value) }
      case 'getObject':
        return { case: 'getObject', value: await getObject(partition, operation.value) }
      case 'deleteObject':
        return { case: 'deleteObject', value: await deleteObject(partition, room, operation.value) }
      case 'listObjects':
        return { case: 'listObjects', value: await listObjects(partition, operation.value) }
      case 'listVersions':
        return { case: 'listVersions', value: await listVersions(partition, operation.value) }
      case 'updateObject':
        return { case: 'updateObject', value: await updateObject(partition, operation.value) }
      case 'getManifest':
        return { case: 'getManifest', value: await getManifest(partition, operation.value) }
      case 'createUpload':
        return { case: 'createUpload', value: await createUpload(partition, operation.value) }
      case 'getUpload':
        return { case: 'getUpload', value: await getUpload(partition, operation.value) }
      case 'commitPart':
        return { case: 'commitPart', value: await commitPart(partition, operation.value) }
      case 'listParts':
        return { case: 'listParts', value: await listParts(partition, operation.value) }
      case 'completeUpload':
        return { case: 'completeUpload', value: await completeUpload(partition, purger, operation.value) }
      case 'abortUpload':
        return { case: 'abortUpload', value: await abortUpload(partition, purger, operation.value) }
      case 'listUploads':
        return { case: 'listUploads', value: await listUploads(partition, operation.value) }
      case 'putAnnotation':
        return { case: 'putAnnotation', value: await putAnnotation(partition, operation.value) }
      case 'getAnnotation':
        return { case: 'getAnnotation', value: await getAnnotation(partition, operation.value) }
      case 'listAnnotations':
        return { case: 'listAnnotations', value: await listAnnotations(partition, operation.value) }
      case 'deleteAnnotation':
        return { case: 'deleteAnnotation', value: await deleteAnnotation(partition, operation.value) }
      case 'getCluster':
        return { case: 'getCluster', value: cluster.getCluster(operation.value) }
      case 'heartbeat':
        return { case: 'heartbeat', value: cluster.heartbeat(operation.value) }
      case 'readOutbox':
        return { case: 'readOutbox', value: await readOutbox(partition, operation.value) }
      case 'acknowledgeOutbox':
        return { case: 'acknowledgeOutbox', value: await acknowledgeOutbox(partition, operation.value) }
      case 'resolveBlobs':
        return { case: 'resolveBlobs', value: await resolveBlobs(partition, operation.value) }
      case 'replaceBlob':
        return { case: 'replaceBlob', value: await replaceBlob(partition, room, operation.value) }
      case 'requestRepair':
        return { case: 'requestRepair', value: await requestRepair(partition, operation.value) }
      case 'keepLease':
        return { case: 'keepLease', value: leases.keep(operation.value) }
      case 'changeCluster':
        return { case: 'changeCluster', value: await cluster.changeCluster(operation.value) }
      case 'getRisk':
        return { case: 'getRisk', value: ledger.getRisk() }
      case 'openBackup':
      case 'readBackup':
      case 'closeBackup':
      case 'acceptRestore':
      case 'getBackupState':
        return await answerBackup(this.#parts.backup, operation)
      case undefined:
        throw invalidRequest('this service does not know the operation')
    }
  }

  #errorOf(error: unknown): MetadataError {
    if (error instanceof MetadataError) return error
    if (error instanceof IllFormedStringError) return invalidRequest(error.message)
    if (error instanceof BatchTooLargeError) {
      return invalidRequest(`the request is too large: ${error.message}`)
    }
    this.#parts.log.error('a metadata request failed', { error })
    const message =
      error instanceof NewerFormatError ? error.message : 'the metadata service has a fault; see its log'
    return new MetadataError(FailureCode.INTERNAL, message)
  }
}
