import type { MetadataApi } from '../../../proto/metadata-api.ts'
import { ContentCheck, contentOf } from '../cluster/content.ts'
import type { HttpRequest } from '../cluster/http-connection.ts'
import type { Endpoint } from '../cluster/job.ts'
import { headSigner } from '../cluster/signed-head.ts'
import { type Counter, type Kind, KINDS } from './counter.ts'
import { countOverloaded, countPartitions } from './metadata-target.ts'
import { S3Connection, sdkRetries } from './s3-client.ts'
import type { Target } from './target.ts'

const OBJECT_BYTES = 1024
/** Applications, each of which shares one client of the SDK, and so its budget of retries, among its connections. */
const APPLICATIONS = 8
/** Every object has the same bytes; they are compared all the same. */
const CONTENT = 1

interface GatewayTargetOptions {
  readonly endpoint: Endpoint
  /** The cluster's metadata, for what is looked at beside the load. */
  readonly api: MetadataApi
  readonly cpuSeconds: () => Promise<number>
  /** Connections of each kind of request. */
  readonly clients: number
}

/** Through a gateway, over HTTP with signatures: PUT, and GET and HEAD in turn, of objects of 1 KiB. */
export class GatewayTarget implements Target {
  readonly atOnce: number
  readonly #options: GatewayTargetOptions
  readonly #head: ReturnType<typeof headSigner>
  readonly #idle: Readonly<Record<Kind, S3Connection[]>> = { writes: [], reads: [] }
  readonly #all: S3Connection[] = []
  #reads = 0

  constructor(options: GatewayTargetOptions) {
    const { host, port, accessKeyId, secretAccessKey } = options.endpoint
    this.#options = options
    this.atOnce = options.clients
    this.#head = headSigner({ host: `${host}:${port}`, accessKeyId, secretAccessKey })
  }

  async prepare(): Promise<void> {
    const { endpoint, clients } = this.#options
    const retries = await Promise.all(Array.from({ length: APPLICATIONS }, () => sdkRetries(endpoint)))
    for (let index = 0; index < clients; index++) {
      const ofApplication = retries[index % APPLICATIONS]
      if (ofApplication === undefined) continue
      for (const kind of KINDS) {
        const connection = new S3Connection(endpoint, ofApplication)
        this.#idle[kind].push(connection)
        this.#all.push(connection)
      }
    }
    await this.#ask('writes', () => ({
      head: this.#head('PUT', `/${endpoint.bucket}`, '', 0),
      body: [],
    }))
  }

  async fill(key: string): Promise<void> {
    while (!(await this.#ask('writes', () => this.#put(key))));
  }

  async ask(kind: Kind, key: string, counter: Counter): Promise<void> {
    const headOnly = kind === 'reads' && this.#reads++ % 2 === 1
    const make = (): HttpRequest =>
      kind === 'writes' ? this.#put(key) : headOnly ? this.#headOf(key) : this.#get(key)
    try {
      const done = await this.#ask(kind, make, () => {
        counter.count(kind, 'refused')
      })
      counter.count(kind, done ? 'done' : 'givenUp')
    } catch {
      counter.count(kind, 'failed')
    }
  }

  async partitions(): Promise<number> {
    return await countPartitions(this.#options.api)
  }

  async overloaded(): Promise<number> {
    return await countOverloaded(this.#options.api)
  }

  async cpuSeconds(): Promise<number> {
    return await this.#options.cpuSeconds()
  }

  close(): void {
    for (const connection of this.#all) connection.close()
  }

  async #ask(kind: Kind, make: () => HttpRequest, throttled?: () => void): Promise<boolean> {
    const connection = this.#idle[kind].pop()
    if (connection === undefined) throw new Error('more requests at once than connections')
    try {
      return await connection.ask(make, throttled)
    } finally {
      this.#idle[kind].push(connection)
    }
  }

  #path(key: string): string {
    return `/${this.#options.endpoint.bucket}/${key}`
  }

  #put(key: string): HttpRequest {
    return {
      head: this.#head('PUT', this.#path(key), '', OBJECT_BYTES),
      body: contentOf(CONTENT, OBJECT_BYTES),
    }
  }

  #get(key: string): HttpRequest {
    const check = new ContentCheck(CONTENT, OBJECT_BYTES)
    const take = (piece: Buffer): void => {
      check.take(piece)
    }
    return { head: this.#head('GET', this.#path(key), '', 0), body: [], take }
  }

  #headOf(key: string): HttpRequest {
    return { head: this.#head('HEAD', this.#path(key), '', 0), body: [], headOnly: true }
  }
}
