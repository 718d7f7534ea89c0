/** What one request may do: the decisions of decide.ts over what metadata says, each bucket read at most once. */
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { BucketRecord, ObjectRecord } from '../../proto/gen/ashlar/v1/records_pb.js'
import { MetadataError, type MetadataApi } from '../../proto/metadata-api.ts'
import { ANONYMOUS_ID, type Account } from '../accounts/account.ts'
import type { AccountDirectory } from '../accounts/directory.ts'
import type { Authentication } from '../authenticate/authenticate.ts'
import { S3Error } from '../errors/s3-error.ts'
import { initiatorOf } from '../rules/acl/ownership.ts'
import {
  mayDelete,
  mayUseBucket,
  mayUseObject,
  type BucketNeed,
  type BucketScene,
  type ObjectNeed,
} from './decide.ts'

export interface AccessPorts {
  readonly metadata: Pick<MetadataApi, 'call'>
  readonly directory: AccountDirectory
}

export interface FoundRecord {
  readonly record: ObjectRecord
}

/** Handlers ask it what the pipeline could not know before they looked: above all, whether an object may be read. */
export class Access {
  /** Canonical id of the sender; {@link ANONYMOUS_ID} when nobody signed. */
  readonly requester: string
  readonly #metadata: Pick<MetadataApi, 'call'>
  readonly #directory: AccountDirectory
  readonly #signal: AbortSignal
  #buckets: Map<string, Promise<BucketScene>> | undefined

  constructor({ metadata, directory }: AccessPorts, sender: Authentication<Account>, signal: AbortSignal) {
    this.requester = sender.kind === 'signed' ? sender.principal.id : ANONYMOUS_ID
    this.#metadata = metadata
    this.#directory = directory
    this.#signal = signal
  }

  /**
   * True for the one account of a cluster that has no other: it owns all buckets, so that nothing need be looked up. What
   * nobody known has put into a public bucket is still not its own.
   */
  get ownsEverything(): boolean {
    return this.#directory.onlyRoot && this.requester === this.#directory.root.id
  }

  /** Whether there is an account of that canonical id. */
  get isAccount(): (id: string) => boolean {
    return (id) => this.#directory.byCanonicalId(id) !== undefined
  }

  /** @throws {MetadataError} NO_SUCH_BUCKET */
  async bucket(name: string): Promise<BucketRecord> {
    return (await this.#scene(name)).bucket
  }

  /** The bucket with its list; undefined: nobody but the owner. @throws {MetadataError} NO_SUCH_BUCKET */
  async bucketWithAcl(name: string): Promise<Pick<BucketScene, 'bucket' | 'acl'>> {
    return await (this.ownsEverything ? this.#readScene(name, ['acl']) : this.#scene(name))
  }

  /** @throws {MetadataError} NO_SUCH_BUCKET */
  async mayUseBucket(name: string, need: BucketNeed): Promise<boolean> {
    return this.ownsEverything || mayUseBucket(await this.#scene(name), need)
  }

  /** @throws {S3Error} AccessDenied @throws {MetadataError} NO_SUCH_BUCKET */
  async requireBucket(name: string, need: BucketNeed): Promise<void> {
    if (!(await this.mayUseBucket(name, need))) throw new S3Error('AccessDenied')
  }

  /**
   * The condition `x-amz-expected-bucket-owner`, and that of the source.
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
   * @param expected 12-digit account id; undefined: no condition
   * @throws {S3Error} InvalidBucketOwnerAWSAccountID, AccessDenied @throws {MetadataError} NO_SUCH_BUCKET
   */
  async requireBucketOwner(name: string, expected: string | undefined): Promise<void> {
    if (expected === undefined) return
    if (!/^\d{12}$/.test(expected)) {
      throw new S3Error('InvalidBucketOwnerAWSAccountID', { fields: { BucketOwner: expected } })
    }
    const { owner } = await this.bucket(name)
    if (this.#directory.byCanonicalId(owner)?.accountId !== expected) throw new S3Error('AccessDenied')
  }

  /**
   * An object as the sender may see it. The decision is made over the very record that was read, so that no object put
   * meanwhile slips through; and that there is none is told only to those who may list the bucket.
   * @param read throws NO_SUCH_KEY or NO_SUCH_VERSION where there is none
   * @returns what `read` found
   * @throws {S3Error} AccessDenied @throws what `read` throws
   */
  async object<Found extends FoundRecord>(
    bucketName: string,
    need: ObjectNeed,
    read: () => Promise<Found>,
  ): Promise<Found> {
    const { ownsEverything } = this
    if (!ownsEverything) this.#begin(bucketName)
    let found: Found
    try {
      found = await read()
    } catch (error) {
      if (!isOneOf(error, FailureCode.NO_SUCH_KEY, FailureCode.NO_SUCH_VERSION)) throw error
      if (await this.mayUseBucket(bucketName, 'READ')) throw error
      throw new S3Error('AccessDenied')
    }
    const { record } = found
    if (ownsEverything && record.owner === this.requester) return found
    if (mayUseObject(await this.#scene(bucketName), record, need)) return found
    throw new S3Error('AccessDenied')
  }

  /**
   * For writes that If-Match guards: their answer tells what the object is, and needs s3:GetObject besides s3:PutObject.
   * That there is none, the write itself says, to those who may list the bucket.
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
   * @throws {S3Error} AccessDenied @throws {MetadataError} NO_SUCH_BUCKET
   */
  async requireReadable(bucketName: string, key: string): Promise<void> {
    const record = await this.#current(bucketName, key)
    const mayKnow =
      record === undefined
        ? await this.mayUseBucket(bucketName, 'READ')
        : mayUseObject(await this.#scene(bucketName), record, 'READ')
    if (!mayKnow) throw new S3Error('AccessDenied')
  }

  /**
   * What a copy takes over besides bytes and headers, tags and annotations, is the bucket owner's to read and to give, and
   * no part of what lists grant.
   * @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html "Permissions"
   * @throws {S3Error} AccessDenied @throws {MetadataError} NO_SUCH_BUCKET
   */
  async requireTakeover(from: string, to: string): Promise<void> {
    await this.requireBucket(from, 'OWNER')
    await this.requireBucket(to, 'OWNER')
  }

  /**
   * Whether the sender may delete a key, or one version of it. Who may not could still overwrite it, so that nothing is
   * lost if it is put anew between this and the delete.
   * @throws {S3Error} AccessDenied @throws {MetadataError} NO_SUCH_BUCKET
   */
  async requireDelete(bucketName: string, key: string, versionId: string | undefined): Promise<void> {
    if (this.ownsEverything) return
    const scene = await this.#scene(bucketName)
    if (scene.isOwner) return
    const current = mayDelete(scene, undefined, versionId) ? await this.#current(bucketName, key) : undefined
    if (!mayDelete(scene, current, versionId)) throw new S3Error('AccessDenied')
  }

  /**
   * The uploads of a bucket are its owner's and, each, of whoever began it.
   * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html "Multipart upload API and permissions"
   * @throws {S3Error} AccessDenied @throws {MetadataError} NO_SUCH_BUCKET
   */
  async requireUpload(bucketName: string, key: string, uploadId: string): Promise<void> {
    if (this.ownsEverything || (await this.#scene(bucketName)).isOwner) return
    try {
      const request = { bucket: bucketName, key, uploadId }
      const { upload } = await this.#metadata.call('getUpload', request, this.#signal)
      if (upload !== undefined && initiatorOf(upload) === this.requester) return
    } catch (error) {
      if (!isOneOf(error, FailureCode.NO_SUCH_UPLOAD, FailureCode.INVALID_REQUEST)) throw error
      // Who may make uploads may know that this is none.
      if (await this.mayUseBucket(bucketName, 'WRITE')) return
    }
    throw new S3Error('AccessDenied')
  }

  async #current(bucket: string, key: string): Promise<ObjectRecord | undefined> {
    try {
      return (await this.#metadata.call('getObject', { bucket, key }, this.#signal)).object
    } catch (error) {
      if (isOneOf(error, FailureCode.NO_SUCH_KEY)) return undefined
      throw error
    }
  }

  /** Asks for the bucket while something else is waited for; a failure shows when it is needed. */
  #begin(name: string): void {
    this.#scene(name).catch(() => undefined)
  }

  #scene(name: string): Promise<BucketScene> {
    this.#buckets ??= new Map()
    let scene = this.#buckets.get(name)
    if (scene === undefined) {
      // The list says nothing about who owns everything.
      scene = this.#readScene(name, this.ownsEverything ? [] : ['acl'])
      this.#buckets.set(name, scene)
    }
    return scene
  }

  async #readScene(name: string, kinds: string[]): Promise<BucketScene> {
    const { bucket, settings } = await this.#metadata.call('getBucketSetting', { name, kinds }, this.#signal)
    if (bucket === undefined) throw new Error('metadata answered without the bucket')
    const setting = settings[0]?.setting
    return {
      bucket,
      acl: setting?.case === 'acl' ? setting.value : undefined,
      requester: this.requester,
      isOwner: this.ownsEverything || bucket.owner === this.requester,
    }
  }
}

function isOneOf(error: unknown, ...codes: readonly FailureCode[]): boolean {
  return error instanceof MetadataError && codes.includes(error.code)
}
