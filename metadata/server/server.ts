import {
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  status,
  type Metadata,
} from '@grpc/grpc-js'
import { METADATA_CLOSE_GRACE_MS } from '../../core/limits.ts'
import type { Reply, Request } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import type { RequestHandler } from '../../runtime/metadata-client/in-process.ts'
import { callMethod, channelOptions, sessionMethod } from '../../runtime/metadata-client/wire.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Log } from '../../runtime/ports/log.ts'
import type { NextTurn } from '../../runtime/ports/next-turn.ts'
import { verifyClusterToken } from '../../runtime/rpc/cluster-token.ts'
import { Session, type SessionCall } from './session.ts'

export interface MetadataServerOptions {
  readonly handler: RequestHandler
  /** The cluster's secret: callers prove that they hold it. */
  readonly secret: string
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly clock: Clock
  readonly log: Log
  readonly nextTurn: NextTurn
}

export interface MetadataServer {
  /** `host:port` */
  readonly address: string
  /** Answers what is in flight, for a bounded time, and stops listening. */
  close(): Promise<void>
}

/** Serves the gRPC face of the metadata service. */
export async function serveMetadata(options: MetadataServerOptions): Promise<MetadataServer> {
  const { handler, secret, clock, nextTurn, log } = options
  const sessions = new Set<Session>()
  let closing = false

  function refusal(metadata: Metadata): { code: status; details: string } | undefined {
    const [given] = metadata.get('authorization')
    const token = typeof given === 'string' ? given.replace(/^Bearer /, '') : ''
    if (!verifyClusterToken(secret, token, clock)) {
      return { code: status.UNAUTHENTICATED, details: "the cluster's secret is needed" }
    }
    return closing ? { code: status.UNAVAILABLE, details: 'shutting down' } : undefined
  }

  const server = new Server(channelOptions)
  server.addService(
    { session: sessionMethod, call: callMethod },
    {
      session(call: SessionCall) {
        const refused = refusal(call.metadata)
        if (refused !== undefined) {
          log.warn('a metadata session was refused', { peer: call.getPeer(), reason: refused.details })
          call.emit('error', refused)
          return
        }
        const session = new Session(call, handler, nextTurn)
        sessions.add(session)
        void session.ended.then(() => sessions.delete(session))
      },
      call(call: ServerUnaryCall<Request, Reply>, answer: sendUnaryData<Reply>) {
        const refused = refusal(call.metadata)
        if (refused !== undefined) {
          answer(refused)
          return
        }
        void handler.handle(call.request).then((reply) => {
          answer(null, reply)
        })
      },
    },
  )
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  const port = await listen(server, `${host}:${options.port}`)
  return {
    address: `${host}:${port}`,
    async close() {
      closing = true
      for (const session of sessions) session.close()
      const cancel = clock.after(METADATA_CLOSE_GRACE_MS, () => {
        server.forceShutdown()
      })
      await shutDown(server)
      cancel()
    },
  }
}

function listen(server: Server, address: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port)
    else reject(error)
  })
  return promise
}

function shutDown(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  server.tryShutdown(() => {
    // What is left after that are connections without calls.
    server.forceShutdown()
    resolve(undefined)
  })
  return promise
}
