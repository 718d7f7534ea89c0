import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ADMIN_CONNECTIONS_MAX, ADMIN_HEADER_BYTES_MAX, ADMIN_REQUEST_TIMEOUT_MS } from '../../core/limits.ts'
import { isLoopback, namesLoopback, verifyAdminToken } from './access.ts'

/** What one path answers. */
export interface AdminAnswer {
  readonly status: number
  readonly type: 'application/json' | 'text/plain; charset=utf-8' | 'text/plain; version=0.0.4; charset=utf-8'
  readonly body: string
}

/**
 * What a path answers that takes its time: lines as they come, which an error breaks off. The signal ends when whoever asked has
 * gone. Asks for the token on loopback too: it costs the cluster something, and tells what not all on the machine may know.
 */
export type AdminStream = (query: URLSearchParams, signal: AbortSignal) => AsyncIterable<string>

export interface AdminConfig {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** The cluster's secret. What is not on loopback asks for the token that follows from it. */
  readonly secret: string
}

export interface RunningAdmin {
  /** `host:port` it listens on. */
  readonly address: string
  close(): Promise<void>
}

/** What each path answers to GET and HEAD: `/metrics`, `/healthz` … Must not throw or wait: it is asked during faults. */
export type AdminRoutes = ReadonlyMap<string, () => AdminAnswer>

/**
 * Serves metrics and the admin interface over HTTP. On loopback to whoever is on this machine; elsewhere to who holds the
 * admin token, as `Authorization: Bearer …`, except for `/healthz`.
 * @throws the error of `listen`: EADDRINUSE, EACCES …
 */
export async function serveAdmin(
  config: AdminConfig,
  routes: AdminRoutes,
  streams: ReadonlyMap<string, AdminStream> = new Map(),
): Promise<RunningAdmin> {
  const server = createServer(
    {
      maxHeaderSize: ADMIN_HEADER_BYTES_MAX,
      headersTimeout: ADMIN_REQUEST_TIMEOUT_MS,
      requestTimeout: ADMIN_REQUEST_TIMEOUT_MS,
      keepAliveTimeout: ADMIN_REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      const answer = answerTo(request, config, routes, streams)
      if (typeof answer === 'function') stream(request, response, answer)
      else send(request, response, answer)
    },
  )
  server.maxConnections = ADMIN_CONNECTIONS_MAX
  server.listen({ host: config.host, port: config.port })
  await once(server, 'listening')
  return {
    address: addressOf(config.host, server),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function answerTo(
  request: IncomingMessage,
  { host, secret }: AdminConfig,
  routes: AdminRoutes,
  streams: ReadonlyMap<string, AdminStream>,
): AdminAnswer | AdminStream {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const route = routes.get(path)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return text(405, 'only GET and HEAD are answered')
  }
  const local = isLoopback(host)
  const streamed = streams.get(path)
  if (local && !namesLoopback(request.headers.host)) {
    // A page that makes a browser call its own name, pointed at this machine, would be refused here.
    return text(403, 'ask by the address of this machine')
  }
  const open = path === '/healthz' || (local && streamed === undefined)
  if (!open && !verifyAdminToken(secret, request.headers.authorization)) {
    return text(401, 'the admin token is missing or wrong')
  }
  if (streamed !== undefined) return streamed
  if (route === undefined) return text(404, `there are ${[...routes.keys()].join(', ')}`)
  return route()
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body }: AdminAnswer): void {
  const bytes = Buffer.from(body)
  const headers: Record<string, string | number> = {
    'content-type': type,
    'content-length': bytes.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  }
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (status === 405) headers['allow'] = 'GET, HEAD'
  // Nothing here takes a body: one that was sent is not waited for.
  if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined) {
    headers['connection'] = 'close'
  }
  response.writeHead(status, headers)
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function stream(request: IncomingMessage, response: ServerResponse, streamed: AdminStream): void {
  const gone = new AbortController()
  response.once('close', () => {
    gone.abort(new Error('whoever asked has gone'))
  })
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const query = new URLSearchParams((request.url ?? '').split('?', 2)[1])
  // An error breaks the answer off, which whoever asked sees.
  pipeline(Readable.from(streamed(query, gone.signal)), response).catch(() => undefined)
}

function text(status: number, message: string): AdminAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${message}\n` }
}

function addressOf(host: string, server: Server): string {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port')
  return host.includes(':') ? `[${host}]:${bound.port}` : `${host}:${bound.port}`
}
