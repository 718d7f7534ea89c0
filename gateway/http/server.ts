/**
 * The `node:http` face of the pipeline: framing, `100-continue`, timeouts, hang-ups, and connections that end cleanly.
 *
 * A socket carries one exchange at a time from the client's point of view; pipelined requests are answered in order by
 * Node. After an answer, what the client still sends of its body is read and dropped up to a bound, so that the connection
 * can be kept, or at least so that the answer is not lost to a reset.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  BODY_RATE_WINDOW_BYTES_MIN,
  BODY_RATE_WINDOW_MS,
  HTTP_CONNECTIONS_MAX,
  HTTP_DRAIN_BYTES_MAX,
  HTTP_HEAD_BYTES_MAX,
  HTTP_HEAD_TIMEOUT_MS,
  HTTP_IDLE_TIMEOUT_MS,
  HTTP_KEEP_ALIVE_MS,
} from '../../core/limits.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { S3Error } from '../errors/s3-error.ts'
import { BodyRate, type BodyRateLimits } from './body-rate.ts'
import { refuseUnparsed } from './client-error.ts'
import type { Delivery } from './exchange.ts'
import type { Identity } from './identity.ts'
import type { Pipeline } from './pipeline.ts'
import type { Recorder } from './ports.ts'
import { RequestBodySource } from './request-body.ts'
import { sendResponse } from './send-response.ts'

/** Bounds of the server; sizes in bytes, times in milliseconds. Defaults and reasons are in core/limits.ts. */
export interface ServerLimits extends BodyRateLimits {
  readonly headBytesMax: number
  readonly headTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly keepAliveMs: number
  readonly connectionsMax: number
  readonly drainBytesMax: number
}

export const defaultServerLimits: ServerLimits = {
  headBytesMax: HTTP_HEAD_BYTES_MAX,
  headTimeoutMs: HTTP_HEAD_TIMEOUT_MS,
  idleTimeoutMs: HTTP_IDLE_TIMEOUT_MS,
  keepAliveMs: HTTP_KEEP_ALIVE_MS,
  connectionsMax: HTTP_CONNECTIONS_MAX,
  drainBytesMax: HTTP_DRAIN_BYTES_MAX,
  bodyRateWindowMs: BODY_RATE_WINDOW_MS,
  bodyRateBytesMin: BODY_RATE_WINDOW_BYTES_MIN,
}

/** One request and its answer on a socket. */
interface Exchange {
  readonly body: RequestBodySource
  readonly res: ServerResponse
  /** Set when the connection cannot be kept. */
  broken: boolean
  /** True from the first byte of the answer on. */
  answering: boolean
}

export interface HttpServer {
  readonly server: Server
  /**
   * Stops accepting, lets requests in flight finish, and resolves when every connection is closed; when `hurry` aborts,
   * the rest is cut off.
   */
  close(hurry?: AbortSignal): Promise<void>
}

export interface HttpServerOptions {
  readonly pipeline: Pipeline
  readonly identity: Identity
  readonly log: Log
  readonly clock: Clock
  /** For what never becomes a request; the pipeline records the others. */
  readonly recorders: readonly Recorder[]
  readonly limits: ServerLimits
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { pipeline, log, clock, limits } = options
  const exchanges = new WeakMap<Duplex, Exchange>()
  let closing = false

  const server = createServer({
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: limits.headTimeoutMs,
    // A whole request may take hours: the idle timeout watches over its body.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.max(10, Math.min(limits.headTimeoutMs / 2, 5000)),
    requireHostHeader: false,
    noDelay: true,
  })
  server.timeout = limits.idleTimeoutMs
  server.maxConnections = limits.connectionsMax

  async function serve(req: IncomingMessage, res: ServerResponse, continuePending: boolean): Promise<void> {
    const { socket } = req
    const body = new RequestBodySource(req, res, continuePending, new BodyRate(clock, limits))
    const exchange: Exchange = { body, res, broken: false, answering: false }
    exchanges.set(socket, exchange)
    const gone = new AbortController()
    res.once('close', () => {
      if (!res.writableFinished) gone.abort(new Error('the client left'))
      if (exchanges.get(socket) === exchange) exchanges.delete(socket)
    })
    const answer = await pipeline({
      method: req.method ?? 'GET',
      target: req.url ?? '/',
      headers: req.headersDistinct,
      secure: 'encrypted' in socket,
      remoteAddress: socket.remoteAddress ?? '',
      body,
      bytesReceived: () => body.bytesReceived,
      signal: gone.signal,
    })
    let delivery: Delivery = { bytesSent: 0, complete: false }
    try {
      const bodyLeft = hasBody(req) && !body.ended
      exchange.answering = true
      const close = closing || exchange.broken || body.failed || (bodyLeft && body.withheld)
      delivery = await sendResponse(res, answer.response, { head: req.method === 'HEAD', close })
      if (bodyLeft && !res.destroyed) await finishRequest(exchange)
      if (!res.destroyed) res.end()
    } catch (error) {
      if (!gone.signal.aborted) log.error('response failed', { error })
      res.destroy()
    } finally {
      answer.delivered(delivery)
    }
  }

  /** Takes the rest of a body that the answer did not need; too much of it costs the connection. */
  async function finishRequest(exchange: Exchange): Promise<void> {
    const { body, res } = exchange
    const { socket } = res
    if (body.withheld || (await body.drain(limits.drainBytesMax))) return
    res.once('finish', () => socket?.destroySoon())
  }

  const accept = (req: IncomingMessage, res: ServerResponse, continuePending: boolean): void => {
    serve(req, res, continuePending).catch((error: unknown) => {
      log.error('exchange failed', { error })
      res.destroy()
    })
  }
  server.on('request', (req, res) => accept(req, res, false))
  server.on('checkContinue', (req, res) => accept(req, res, true))
  // Other expectations are met by serving the request, as RFC 9110 §10.1.1 allows.
  server.on('checkExpectation', (req, res) => accept(req, res, false))

  server.on('clientError', (error, socket) => {
    const exchange = exchanges.get(socket)
    if (!exchange) return refuseUnparsed(error, socket, options)
    // The client broke off inside a body, or sent rubbish behind it: the exchange in progress ends with its own answer.
    exchange.broken = true
    if (!exchange.body.ended) exchange.body.fail(new S3Error('IncompleteBody'))
    exchange.res.once('finish', () => socket.destroy())
  })

  // A tunnel is nothing that a store of objects could open; Node has taken its parser off the socket.
  server.on('connect', (_, socket) => refuseUnparsed(new Error('CONNECT'), socket, options))

  server.on('timeout', (socket: Socket) => {
    const exchange = exchanges.get(socket)
    if (!exchange) {
      socket.destroy()
    } else if (exchange.body.waiting && !exchange.answering) {
      exchange.broken = true
      exchange.body.fail(new S3Error('RequestTimeout'))
    } else if (exchange.answering) {
      // Either the client does not take the answer, or it does not send what is to be dropped.
      socket.destroy()
    } else {
      // Silent because we are busy: look again later.
      socket.setTimeout(limits.idleTimeoutMs)
    }
  })

  return {
    server,
    async close(hurry) {
      closing = true
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      const cut = (): void => server.closeAllConnections()
      if (hurry?.aborted) cut()
      hurry?.addEventListener('abort', cut, { once: true })
      await closed
      hurry?.removeEventListener('abort', cut)
    },
  }
}

/** True when the head announces a body (RFC 9112 §6.3). */
function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) > 0)
}
