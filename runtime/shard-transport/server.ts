import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { SHARD_CLOSE_GRACE_MS, SHARD_STRANGERS_MAX } from '../../core/limits.ts'
import { ServerConnection, type ServerConnectionOptions } from './server-connection.ts'

export interface ShardServerOptions extends ServerConnectionOptions {
  /** Loopback unless told otherwise. */
  readonly host?: string
  /** 0: any free one. */
  readonly port: number
}

export interface ShardServer {
  readonly host: string
  readonly port: number
  /** Takes nothing new, answers what is in flight (for SHARD_CLOSE_GRACE_MS at most), hangs up. */
  close(): Promise<void>
}

/** Serves one storage node over the shard protocol (runtime/rpc/frames.ts). */
export async function serveShards(options: ShardServerOptions): Promise<ShardServer> {
  const { host = '127.0.0.1', clock } = options
  const connections = new Set<ServerConnection>()

  function accept(socket: Socket): void {
    const strangers = [...connections].filter((connection) => !connection.authenticated).length
    if (strangers >= SHARD_STRANGERS_MAX) {
      socket.destroy()
      return
    }
    const connection = new ServerConnection(socket, options)
    connections.add(connection)
    socket.once('close', () => connections.delete(connection))
  }

  const server = createServer({ noDelay: true }, accept)
  server.listen(options.port, host)
  // Rejects with what `error` brings, such as EADDRINUSE.
  await once(server, 'listening')
  const address = server.address()
  const port = address === null || typeof address === 'string' ? options.port : address.port

  async function close(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    const cancel = clock.after(SHARD_CLOSE_GRACE_MS, () => {
      for (const connection of connections) connection.destroy()
    })
    for (const connection of connections) connection.drain()
    await closed
    cancel()
  }
  return { host, port, close }
}
