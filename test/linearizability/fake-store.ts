import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { S3Client } from '@aws-sdk/client-s3'
import type { Lifetime } from '../cluster/harness.ts'
import type { Chance } from '../chaos/seeded.ts'

/** What a store does wrong, how often; all of it together is none of S3's promises broken, or one, by the kind. */
export interface Habits {
  /** Answers writes with 503: some were done, some never are, some are done later. All allowed. */
  readonly loses?: number
  /** Answers reads with what was there before. */
  readonly stale?: number
  /** Acknowledges writes that it does not do. */
  readonly forgets?: number
  /** Does not look at the conditions of writes. */
  readonly careless?: number
  /** Leaves objects out of listings. */
  readonly hides?: number
}

/** A bucket in memory behind HTTP, as much of S3 as a load asks for. */
export async function startFakeStore(t: Lifetime, habits: Habits, chance: Chance): Promise<() => S3Client> {
  const objects = new Map<string, string>()
  const before = new Map<string, string>()
  const late: (() => void)[] = []
  const often = (share = 0): boolean => chance.next() < share

  const server = createServer((request, response) => {
    void answer(request, response)
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://fake')
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
    const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers
    if (often(0.3)) late.shift()?.()
    if (request.method === 'GET' && searchParams.has('list-type')) {
      response.end(listing(searchParams))
    } else if (request.method === 'GET' && searchParams.has('versions')) {
      response.end('<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>')
    } else if (request.method === 'PUT' || request.method === 'DELETE') {
      const change = (): number => {
        const now = objects.get(key)
        if (!often(habits.careless)) {
          if (ifMatch !== undefined && now === undefined) return 404
          if (ifMatch !== undefined && etagOf(now ?? '') !== ifMatch) return 412
          if (ifNoneMatch !== undefined && now !== undefined) return 412
        }
        if (now !== undefined) before.set(key, now)
        if (often(habits.forgets)) return 200
        if (request.method === 'PUT') objects.set(key, body)
        else objects.delete(key)
        return request.method === 'PUT' ? 200 : 204
      }
      if (often(habits.loses)) {
        const fate = chance.next()
        if (fate < 0.4) change()
        else if (fate < 0.7) late.push(change)
        refuse(response, 503)
      } else {
        const status = change()
        if (status >= 300) refuse(response, status)
        else response.writeHead(status, request.method === 'PUT' ? { etag: etagOf(body) } : {}).end()
      }
    } else {
      const old = often(habits.stale) ? before.get(key) : undefined
      const found = old ?? objects.get(key)
      if (found === undefined) refuse(response, 404)
      else response.writeHead(200, { etag: etagOf(found) }).end(request.method === 'HEAD' ? '' : found)
    }
  }

  function listing(query: URLSearchParams): string {
    const after = query.get('continuation-token') ?? ''
    const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
    const page = keys.sort().slice(0, Number(query.get('max-keys')))
    const listed = page.filter(() => !often(habits.hides))
    const contents = listed.map(
      (key) => `<Contents><Key>${key}</Key><ETag>${etagOf(objects.get(key) ?? '')}</ETag></Contents>`,
    )
    const last = listed.at(-1)
    const more = page.length < keys.length && last !== undefined
    const next = more ? `<NextContinuationToken>${last}</NextContinuationToken>` : ''
    return `<ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const clients: S3Client[] = []
  t.after(async () => {
    for (const client of clients) client.destroy()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return () => {
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
    const endpoint = `http://127.0.0.1:${port}`
    const client = new S3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true })
    clients.push(client)
    return client
  }
}

const CODES: Readonly<Record<number, string>> = {
  404: 'NoSuchKey',
  412: 'PreconditionFailed',
  503: 'ServiceUnavailable',
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status).end(`<Error><Code>${CODES[status] ?? ''}</Code></Error>`)
}

function etagOf(body: string): string {
  return `"${createHash('md5').update(body).digest('hex')}"`
}
