import { createHash } from 'node:crypto'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { Action, Condition, Operation, Value } from './history.ts'
import { refusalOf, withTries, type Try } from './tries.ts'
import { listVersions, VersionsMade } from './versions-made.ts'

/** A request that failed for good: the SDK gave up, or was never to try again. */
export interface Failure {
  readonly what: string
  /** As `performance.now()`. */
  readonly invoked: number
  readonly responded: number
  readonly tries: number
  readonly error: unknown
}

export type WriteCondition = { readonly ifNoneMatch: '*' } | { readonly ifMatch: string }

/**
 * Sends requests to one bucket, and records what each of them says of the history. Every try of the SDK is an operation of its
 * own: so a PUT whose first try was lost and whose second was refused with 412, or acknowledged, is exactly what it was.
 *
 * Values are ETags, which are MD5 of the content here; no two writes of a history may have the same content.
 */
export class Recorder {
  readonly operations: Operation[] = []
  readonly failures: Failure[] = []
  readonly bucket: string
  /** All that is ever written to: what a listing leaves out of them is absent. In the order of listings. */
  readonly keys: readonly string[]
  /** The newest ETag that somebody saw of each key, for conditions that may hold. */
  readonly lastSeen = new Map<string, string>()
  readonly #versions = new VersionsMade()
  readonly #markers = new VersionsMade()
  tries = 0
  slowestMs = 0

  constructor(bucket: string, keys: readonly string[]) {
    this.bucket = bucket
    this.keys = keys.toSorted()
  }

  async put(from: Sender, key: string, body: string, condition?: WriteCondition): Promise<void> {
    const value = etagOf(body)
    const when = condition === undefined ? undefined : asCondition(condition)
    const request = {
      Bucket: this.bucket,
      Key: key,
      Body: body,
      ...(condition !== undefined &&
        ('ifMatch' in condition ? { IfMatch: condition.ifMatch } : { IfNoneMatch: condition.ifNoneMatch })),
    }
    const done = await this.#send(`PUT ${key}`, from, () => from.client.send(new PutObjectCommand(request)))
    this.#write(from, key, done.tries, value, when, done.output?.VersionId)
    if (done.output === undefined) return
    const { ETag = 'no ETag' } = done.output
    if (ETag !== value) throw new Error(`PUT ${key} was answered with ${ETag}, not ${value}`)
    this.lastSeen.set(key, value)
  }

  async remove(from: Sender, key: string, ifMatch?: string): Promise<void> {
    const request = { Bucket: this.bucket, Key: key, ...(ifMatch !== undefined && { IfMatch: ifMatch }) }
    const when = ifMatch === undefined ? undefined : asCondition({ ifMatch })
    const { tries, output } = await this.#send(`DELETE ${key}`, from, () =>
      from.client.send(new DeleteObjectCommand(request)),
    )
    this.#write(from, key, tries, undefined, when, output?.VersionId)
  }

  async get(from: Sender, key: string): Promise<Value> {
    return await this.#read('GET', from, key, async () => {
      const { ETag = 'no ETag', Body } = await from.client.send(
        new GetObjectCommand({ Bucket: this.bucket, Key: key }),
      )
      const body = (await Body?.transformToString()) ?? ''
      if (etagOf(body) !== ETag) throw new WrongBytes(`GET ${key}: ${body.length} bytes that are not ${ETag}`)
      return ETag
    })
  }

  async head(from: Sender, key: string): Promise<Value> {
    return await this.#read('HEAD', from, key, async () => {
      const { ETag } = await from.client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key }))
      return ETag
    })
  }

  /** Page by page. Each page is a moment of its own for each of the keys it covers, listed or not. */
  async list(from: Sender, prefix: string, pageKeys: number): Promise<void> {
    let token: string | undefined
    let after = ''
    do {
      const request = { Bucket: this.bucket, Prefix: prefix, MaxKeys: pageKeys, ContinuationToken: token }
      const { tries, output } = await this.#send(`LIST ${prefix}`, from, () =>
        from.client.send(new ListObjectsV2Command(request)),
      )
      const last = tries.at(-1)
      if (output === undefined || last === undefined) return
      const listed = new Map((output.Contents ?? []).map(({ Key = '', ETag }) => [Key, ETag]))
      token = output.NextContinuationToken
      const end = [...listed.keys()].at(-1)
      if (token !== undefined && end === undefined) throw new Error(`LIST ${prefix}: an empty page, and more`)
      const covered = this.keys.filter(
        (key) => key.startsWith(prefix) && key > after && (token === undefined || key <= (end ?? '')),
      )
      for (const key of covered) {
        this.#record(from, key, last, { kind: 'observe', seen: { is: 'value', value: listed.get(key) } })
        listed.delete(key)
      }
      if (listed.size > 0) {
        throw new Error(`LIST ${prefix} has keys it may not have: ${[...listed.keys()].join()}`)
      }
      after = end ?? after
    } while (token !== undefined)
  }

  /** What is wrong with the versions that the bucket has in the end, if it is one with versions. */
  async versionFaults(client: S3Client): Promise<string[]> {
    const { objects, markers } = await listVersions(client, this.bucket)
    const withoutVersions = [...objects.values()].every((ids) => ids.every((id) => id === 'null'))
    if (withoutVersions) return []
    return [...this.#versions.faults(objects), ...this.#markers.faults(markers)]
  }

  async #read(method: string, from: Sender, key: string, read: () => Promise<Value>): Promise<Value> {
    const begun = performance.now()
    const { tries, output, error } = await this.#send(`${method} ${key}`, from, read)
    const last = tries.at(-1)
    if (last === undefined) return undefined
    const seen = { kind: 'observe', seen: { is: 'value', value: output } } as const
    if (error === undefined) {
      // The content is read after the answer has begun.
      this.#record(from, key, { ...last, responded: performance.now() }, seen)
      if (output !== undefined) this.lastSeen.set(key, output)
    } else if (refusalOf(last.error) === 'absent') this.#record(from, key, last, seen)
    else if (error instanceof WrongBytes) throw error
    this.slowestMs = Math.max(this.slowestMs, performance.now() - begun)
    return output
  }

  async #send<T>(
    what: string,
    from: Sender,
    operation: () => Promise<T>,
  ): Promise<{ tries: readonly Try[]; output?: T; error?: unknown }> {
    const invoked = performance.now()
    const done = await withTries(operation)
    const responded = performance.now()
    this.tries += done.tries.length
    this.slowestMs = Math.max(this.slowestMs, responded - invoked)
    const { error } = done
    const expected = error === undefined || ['mismatch', 'absent', 'conflict'].includes(refusalOf(error))
    if (!expected) {
      const about = { what: `${from.name} ${what}`, invoked, responded, tries: done.tries.length, error }
      this.failures.push(about)
    }
    return done
  }

  #write(
    from: Sender,
    key: string,
    tries: readonly Try[],
    value: Value,
    when: Condition | undefined,
    versionId: string | undefined,
  ): void {
    const action: Action = { kind: 'write', value, ...(when !== undefined && { when }) }
    const versions = value === undefined ? this.#markers : this.#versions
    for (const one of tries) {
      const refusal = one.error === undefined ? undefined : refusalOf(one.error)
      if (refusal === undefined) {
        this.#record(from, key, one, action)
        if (versionId !== undefined) versions.add(key, { ...one, versionId })
      } else if (refusal === 'unknown') {
        this.#record(from, key, { ...one, responded: Infinity }, action)
        versions.addUnknown(key)
      } else if (refusal === 'absent') {
        this.#record(from, key, one, { kind: 'observe', seen: { is: 'value', value: undefined } })
      } else if (refusal === 'mismatch') {
        this.#record(from, key, one, { kind: 'observe', seen: opposite(value, when) })
      }
    }
  }

  #record(from: Sender, key: string, { invoked, responded }: Try, action: Action): void {
    this.operations.push({ key, client: from.name, invoked, responded, action })
  }
}

/** One client of the load, at one gateway. */
export interface Sender {
  readonly name: string
  readonly client: S3Client
}

class WrongBytes extends Error {}

function asCondition(condition: WriteCondition): Condition {
  return { is: 'value', value: 'ifMatch' in condition ? condition.ifMatch : undefined }
}

/** What a refused condition says. */
function opposite(value: Value, when: Condition | undefined): Condition {
  if (value === undefined && when?.is === 'value' && when.value !== undefined) {
    // "If the latest version of the object is a delete marker, … the DeleteObject API will fail and return a 412".
    return { is: 'not', value: when.value }
  }
  return when?.is === 'value' && when.value !== undefined
    ? { is: 'other', than: when.value }
    : { is: 'present' }
}

function etagOf(body: string): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}
