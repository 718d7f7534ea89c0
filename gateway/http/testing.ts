/** A gateway with a toy handler set, and a raw client: what the tests of this folder share. */
import { createHash } from 'node:crypto'
import { connect, type AddressInfo, type Socket } from 'node:net'
import * as s3 from '@aws-sdk/client-s3'
import { XML_BODY_BYTES_MAX } from '../../core/limits.ts'
import { headerValue, type SignableRequest } from '../../core/signing/request.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log, LogFields } from '../../runtime/ports/log.ts'
import { nodeDigests } from '../../runtime/crypto/digests.ts'
import type { Authenticator } from '../authenticate/authenticate.ts'
import { S3Error } from '../errors/s3-error.ts'
import type { Account } from '../accounts/account.ts'
import { Access } from '../authorize/access.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { operation, type OperationRow } from '../operations/operation.ts'
import type { AccessRecord, Authorize, Sender } from './ports.ts'
import type { ServerLimits } from './server.ts'

export const fixedTimeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678)

/** A clock that stands still. */
const stillClock: Clock = {
  nowMs: () => fixedTimeMs,
  monotonicMs: () => 0,
  sleep: () => Promise.reject(new Error('nobody sleeps here')),
  after: () => () => undefined,
}

export const toyRoot: Account = { id: 'root-id', accountId: '111122223333', displayName: 'root' }

/** Whoever signed may do everything; nothing is looked up. */
const signedOnly: Authorize = async ({ sender, signal }) => {
  if (sender.kind !== 'signed') throw new S3Error('AccessDenied')
  const metadata = { call: () => Promise.reject(new Error('nothing is looked up here')) }
  const directory = { root: toyRoot, onlyRoot: true, byCanonicalId: () => toyRoot }
  return new Access({ metadata, directory }, sender, signal)
}

/** Root when the Authorization header says so; bodies plain and unsigned. */
const toyHead = async ({ headers }: SignableRequest): Promise<Sender> => {
  const payload = { kind: 'unsigned' } as const
  if (headerValue(headers, 'authorization') !== 'root') return { kind: 'anonymous', payload }
  return {
    kind: 'signed',
    accessKey: 'AKIDROOT',
    principal: toyRoot,
    scope: { date: '20260102', region: 'us-east-1', service: 's3' },
    presigned: false,
    payload,
  }
}

/** Forms are anonymous, unless their signature is `root`. */
const toyAuthenticate: Authenticator<Account> = Object.assign(toyHead, {
  form: (fields: ReadonlyMap<string, string>) => {
    const authorization = fields.get('x-amz-signature')
    const headers = authorization === undefined ? {} : { authorization: [authorization] }
    return toyHead({ method: 'POST', rawPath: '/', rawQuery: '', headers })
  },
})

export interface ToyEvents {
  /** Names of what happened inside handlers, in order. */
  readonly happened: string[]
  /** Resolves at the next event with this name, or at once if it has happened. */
  until(name: string): Promise<void>
  note(name: string): void
}

function recorder(): ToyEvents {
  const happened: string[] = []
  const waiting = new Map<string, (() => void)[]>()
  return {
    happened,
    until(name) {
      if (happened.includes(name)) return Promise.resolve()
      return new Promise((resolve) => {
        waiting.set(name, [...(waiting.get(name) ?? []), resolve])
      })
    },
    note(name) {
      happened.push(name)
      for (const wake of waiting.get(name) ?? []) wake()
      waiting.delete(name)
    },
  }
}

/** Streams for GetObject by key; `size` is what the handler promises. */
const streams: Readonly<Record<string, () => { size: number; stream: AsyncIterable<Uint8Array> }>> = {
  hello: () => ({ size: 5, stream: chunks('he', 'llo') }),
  empty: () => ({ size: 0, stream: chunks() }),
  short: () => ({ size: 10, stream: chunks('only') }),
  long: () => ({ size: 3, stream: chunks('abc', 'def') }),
  breaks: () => ({ size: 10, stream: breaking() }),
  endless: () => ({ size: 1 << 30, stream: zeros(1 << 30) }),
}

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array, void> {
  for (const text of texts) yield Buffer.from(text)
}

async function* breaking(): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from('half')
  throw new Error('disk on fire')
}

async function* zeros(size: number): AsyncGenerator<Uint8Array, void> {
  const chunk = Buffer.alloc(64 * 1024)
  for (let sent = 0; sent < size; sent += chunk.length) yield chunk
}

function rows(events: ToyEvents): readonly OperationRow[] {
  return [
    operation<s3.PutObjectCommandInput, s3.PutObjectCommandOutput>(
      s3.PutObject$,
      's3:PutObject',
      async ({ Body, Key }, { signal }) => {
        events.note('put')
        if (Key === 'refused') throw new S3Error('NoSuchBucket')
        if (Key === 'ignored') return { ETag: '"unread"' }
        if (Key === 'waits') await events.until('go on')
        if (Key === 'crash') throw new Error('secret /etc/path')
        signal.addEventListener('abort', () => events.note('aborted'))
        const digest = createHash('md5')
        try {
          for await (const chunk of Body) {
            events.note('chunk')
            digest.update(chunk)
          }
        } catch (error) {
          events.note(error instanceof S3Error ? error.code : 'unknown error')
          throw error
        }
        return { ETag: `"${digest.digest('hex')}"` }
      },
    ),
    operation<s3.CopyObjectCommandInput, s3.CopyObjectCommandOutput>(
      s3.CopyObject$,
      's3:PutObject',
      async ({ Key }) => {
        events.note('copy')
        await events.until('copied')
        if (Key === 'refused') throw new S3Error('NoSuchKey')
        if (Key === 'crash') throw new Error('secret /etc/path')
        return { CopyObjectResult: { ETag: '"copied"' } }
      },
      {},
      { keepAlive: true },
    ),
    operation<s3.GetObjectCommandInput, s3.GetObjectCommandOutput>(
      s3.GetObject$,
      's3:GetObject',
      async ({ Bucket, Key }, { signal }) => {
        signal.addEventListener('abort', () => events.note('aborted'))
        const body = streams[Key]?.()
        if (!body) throw new S3Error('NoSuchKey')
        return { Body: body, ContentType: 'text/plain', ETag: `"${Bucket}/${Key}"`, ContentLength: body.size }
      },
    ),
    operation<s3.HeadObjectCommandInput, s3.HeadObjectCommandOutput>(
      s3.HeadObject$,
      's3:GetObject',
      async ({ Key }) => {
        const body = streams[Key]?.()
        if (!body) throw new S3Error('NotFound')
        return { ContentLength: body.size, ETag: '"e"' }
      },
    ),
    operation<s3.DeleteObjectCommandInput, s3.DeleteObjectCommandOutput>(
      s3.DeleteObject$,
      's3:DeleteObject',
      async () => ({}),
    ),
    operation<s3.DeleteObjectsCommandInput, s3.DeleteObjectsCommandOutput>(
      s3.DeleteObjects$,
      's3:DeleteObject',
      async ({ Delete }) => ({ Deleted: Delete.Objects.map(({ Key }) => ({ Key })) }),
      { documentBytesMax: XML_BODY_BYTES_MAX },
    ),
    operation<s3.ListObjectsV2CommandInput, s3.ListObjectsV2CommandOutput>(
      s3.ListObjectsV2$,
      's3:ListBucket',
      async ({ Bucket, Prefix, MaxKeys }) => ({
        Name: Bucket,
        Prefix: Prefix ?? '',
        MaxKeys: MaxKeys ?? 1000,
      }),
    ),
    operation<s3.ListBucketsCommandInput, s3.ListBucketsCommandOutput>(
      s3.ListBuckets$,
      's3:ListAllMyBuckets',
      async () => ({ Buckets: [{ Name: 'b1', CreationDate: new Date(0) }] }),
    ),
    operation<s3.GetBucketLocationCommandInput, s3.GetBucketLocationCommandOutput>(
      s3.GetBucketLocation$,
      's3:GetBucketLocation',
      async () => ({ LocationConstraint: 'us-west-2' }),
    ),
  ]
}

export interface ToyGateway extends AsyncDisposable {
  readonly gateway: Gateway
  readonly port: number
  readonly events: ToyEvents
  readonly records: AccessRecord[]
  readonly logged: { readonly message: string; readonly fields: LogFields | undefined }[]
  /** Sends raw text on a new connection and resolves with all that comes back until the server closes. */
  exchange(text: string): Promise<string>
  open(): Promise<Client>
}

export async function startToyGateway(
  limits: Partial<ServerLimits> = {},
  authenticate: Authenticator<Account> = toyAuthenticate,
  clock: Clock = stillClock,
): Promise<ToyGateway> {
  const events = recorder()
  const records: AccessRecord[] = []
  const logged: ToyGateway['logged'] = []
  const note = (message: string, fields?: LogFields): void => void logged.push({ message, fields })
  const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log }
  let counter = 0
  const gateway = createGateway({
    operations: rows(events),
    authenticate,
    authorize: signedOnly,
    cors: async () => ({ bucketExists: true, rules: undefined }),
    digests: nodeDigests,
    clock,
    random: { bytes: (length) => new Uint8Array(length).map(() => counter++ & 0xff) },
    log,
    recorders: [(record) => records.push(record)],
    domains: ['s3.example.com', 'example.com'],
    region: 'us-east-1',
    serverLimits: limits,
  })
  await new Promise<void>((resolve) => {
    gateway.server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = addressOf(gateway)
  return {
    gateway,
    port,
    events,
    records,
    logged,
    async exchange(text) {
      const client = await Client.connect(port)
      client.write(text)
      return await client.closed()
    },
    open: () => Client.connect(port),
    async [Symbol.asyncDispose]() {
      await gateway.close(AbortSignal.abort())
    },
  }
}

function addressOf(gateway: Gateway): AddressInfo {
  const address = gateway.server.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  return address
}

/** A raw connection that remembers all it received, one character a byte. */
export class Client {
  readonly socket: Socket
  received = ''
  #closed = false
  readonly #listeners: (() => void)[] = []

  constructor(socket: Socket) {
    this.socket = socket
    const wake = (): void => {
      for (const listener of this.#listeners.splice(0)) listener()
    }
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#closed = true
      wake()
    })
  }

  static async connect(port: number): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Client(socket)
  }

  write(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** Resolves when the condition on what was received holds, or the connection is closed. */
  async until(condition: (received: string) => boolean): Promise<string> {
    while (!condition(this.received) && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#listeners.push(resolve)
      })
    }
    return this.received
  }

  /** Resolves when the server has closed its side. */
  async closed(): Promise<string> {
    if (!this.#closed) {
      await new Promise<void>((resolve) => {
        this.socket.once('end', resolve)
        this.socket.once('close', () => resolve())
      })
    }
    this.socket.destroy()
    return this.received
  }
}

/** A request's text; `Connection: close` unless `headers` say otherwise. */
export function requestText(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): string {
  const all: Record<string, string> = {
    Host: 'localhost',
    Authorization: 'root',
    Connection: 'close',
    ...(body === '' ? {} : { 'Content-Length': String(body.length) }),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

export interface ReadResponse {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Splits one response off what was received. */
export function readResponse(text: string): ReadResponse {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) }
}
