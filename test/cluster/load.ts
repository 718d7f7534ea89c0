import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { atEnd, type Lifetime } from './lifetime.ts'

/** One content that was sent for a key: its bytes follow from its name and size. */
export interface Version {
  readonly name: string
  readonly size: number
}

/** Bytes that no two versions share, made again wherever they are compared. */
export function contentOf({ name, size }: Version): Buffer {
  const key = createHash('sha256').update(name).digest()
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size))
}

/**
 * What a client may expect of a bucket it alone writes to: what was acknowledged is there; what was sent and never
 * answered may be there, whole, or not.
 */
export class Ledger {
  readonly #keys = new Map<string, { acknowledged: Version | undefined; unanswered: Version[] }>()
  #acknowledgements = 0

  /** Acknowledged writes so far. */
  get acknowledgements(): number {
    return this.#acknowledgements
  }

  /** Keys with an acknowledged value, in the order in which they were first sent. */
  acknowledgedKeys(): string[] {
    return [...this.#keys].filter(([, state]) => state.acknowledged !== undefined).map(([key]) => key)
  }

  keys(): string[] {
    return [...this.#keys.keys()]
  }

  /** Called before a version is sent. A key has one writer at a time. */
  sent(key: string, version: Version): void {
    const state = this.#keys.get(key) ?? { acknowledged: undefined, unanswered: [] }
    state.unanswered.push(version)
    this.#keys.set(key, state)
  }

  /** Called when it was acknowledged. One that was never answered may still take effect after it: it counts as concurrent. */
  acknowledged(key: string, version: Version): void {
    const unanswered = (this.#keys.get(key)?.unanswered ?? []).filter((one) => one !== version)
    this.#keys.set(key, { acknowledged: version, unanswered })
    this.#acknowledgements++
  }

  /** Holds what a read found against what may be there; `undefined`: no such key. */
  check(key: string, found: Uint8Array | undefined): void {
    const { acknowledged, unanswered } = this.#keys.get(key) ?? { acknowledged: undefined, unanswered: [] }
    if (found === undefined) {
      assert.equal(acknowledged, undefined, `${key} was acknowledged and is not there`)
      return
    }
    const allowed = acknowledged === undefined ? unanswered : [acknowledged, ...unanswered]
    const whole = allowed.some((version) => version.size === found.length && contentOf(version).equals(found))
    const names = allowed.map(({ name, size }) => `${name} (${size})`)
    assert.ok(whole, `${key}: ${found.length} bytes that are none of ${names.join(', ') || 'none sent'}`)
  }
}

export async function put(client: S3Client, bucket: string, key: string, version: Version): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: contentOf(version) }))
}

/** The whole object; undefined if there is no such key. */
export async function get(client: S3Client, bucket: string, key: string): Promise<Uint8Array | undefined> {
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
    return (await Body?.transformToByteArray()) ?? new Uint8Array()
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined
    throw error
  }
}

/** Every key of a bucket with its size, page by page. */
export async function list(client: S3Client, bucket: string): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  let token: string | undefined
  do {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        MaxKeys: 100,
        ...(token !== undefined && { ContinuationToken: token }),
      }),
    )
    for (const { Key = '', Size = -1 } of page.Contents ?? []) found.set(Key, Size)
    token = page.NextContinuationToken
  } while (token !== undefined)
  return found
}

/** Reads every key that was ever sent and holds it against the ledger; the listing must agree with what was read. */
export async function verifyEverything(client: S3Client, bucket: string, ledger: Ledger): Promise<void> {
  const listed = await list(client, bucket)
  const keys = ledger.keys()
  await inParallel(READERS, keys, async (key) => {
    const found = await get(client, bucket, key)
    ledger.check(key, found)
    assert.equal(listed.get(key), found?.length, `the listing of ${key} agrees with reading it`)
    listed.delete(key)
  })
  assert.deepEqual([...listed.keys()], [], 'nothing is listed that was never sent')
}

const READERS = 8

/** Runs `work` over all the items, `width` at a time. */
async function inParallel<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await work(item)
    }),
  )
}

/** Sizes that take every path: empty, inline copies, a short stripe, one stripe, several stripes. */
const SIZES = [0, 1, 1000, 32 * 1024, 32 * 1024 + 1, 300_000, 1_500_000, 5_000_000] as const

/** The n-th write of a load: every tenth or so overwrites a key of long ago. */
function writeNumber(n: number, writer: number): { key: string; version: Version } {
  const key = n % 5 === 4 ? `${writer}/again-${n % 3}` : `${writer}/${String(n).padStart(5, '0')}`
  return { key, version: { name: `${writer}/${n}`, size: SIZES[(n * 5 + writer) % SIZES.length] ?? 0 } }
}

export interface LoadOptions {
  readonly writers: number
  readonly readers: number
  /** Writers stop at their first failure, as when the whole cluster is to be killed. */
  readonly endAtFailure?: boolean
}

export interface Load {
  /** Resolves when this many more writes were acknowledged, and, if there are readers, as many reads were right. */
  progress(more: number): Promise<void>
  /** Lets what is in flight end, and resolves to the errors of writes that were not acknowledged. Rejects if a reader saw a wrong byte or an error. */
  stop(): Promise<Error[]>
}

/**
 * Writers, and readers of what was acknowledged, spread over the clients, until stopped, at the latest with the test: one that
 * failed would never end otherwise. Every reader holds what it reads against the ledger and tolerates no error.
 */
export function startLoad(
  t: Lifetime,
  clients: readonly S3Client[],
  bucket: string,
  ledger: Ledger,
  options: LoadOptions,
): Load {
  // A later load over the same ledger goes on with new keys.
  const from = ledger.keys().length
  const stopping = new AbortController()
  let reads = 0
  const failures: Error[] = []
  const waiting = new Set<() => void>()
  const clientOf = (n: number) => {
    const client = clients[n % clients.length]
    if (client === undefined) throw new RangeError('a load needs a client')
    return client
  }
  const advanced = () => {
    for (const check of waiting) check()
  }

  async function write(writer: number): Promise<void> {
    for (let n = from; !stopping.signal.aborted; n++) {
      const { key, version } = writeNumber(n, writer)
      ledger.sent(key, version)
      try {
        await put(clientOf(writer + n), bucket, key, version)
        ledger.acknowledged(key, version)
        advanced()
      } catch (error) {
        failures.push(error instanceof Error ? error : new Error(String(error)))
        if (options.endAtFailure === true) return
      }
    }
  }

  async function read(reader: number): Promise<void> {
    for (let n = reader; !stopping.signal.aborted; n++) {
      // Keys that are never written again, so that what is acknowledged now is what must be read.
      const keys = ledger.acknowledgedKeys().filter((key) => !key.includes('again'))
      const key = keys[(n * 7919) % keys.length]
      if (key === undefined) {
        await nextAcknowledgement()
        continue
      }
      ledger.check(key, await get(clientOf(n), bucket, key))
      reads++
      advanced()
    }
  }

  async function nextAcknowledgement(): Promise<void> {
    const seen = ledger.acknowledgements
    await waitFor(() => stopping.signal.aborted || ledger.acknowledgements > seen)
  }

  async function waitFor(condition: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  }

  const running = Promise.all([
    ...Array.from({ length: options.writers }, (_writer, index) => write(index)),
    ...Array.from({ length: options.readers }, (_reader, index) => read(index)),
  ])
  // Not waited for: what is in flight ends with the cluster.
  atEnd(t, () => {
    stopping.abort()
    advanced()
  })
  return {
    async progress(more) {
      const writesWanted = ledger.acknowledgements + more
      const readsWanted = options.readers === 0 ? 0 : reads + more
      // A reader that failed ends the wait.
      await Promise.race([
        running,
        waitFor(() => ledger.acknowledgements >= writesWanted && reads >= readsWanted),
      ])
    },
    async stop() {
      stopping.abort()
      advanced()
      await running
      return failures
    },
  }
}
