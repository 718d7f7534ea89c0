import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Stands before a server, and lets connections in after the first only; the first when one more has come and gone, or after a time. */
export async function slowDoor(port: number, ms: number): Promise<{ host: string; close(): void }> {
  let waiting: (() => void) | undefined
  let connections = 0
  const server = createServer((client) => {
    const begin = (): void => {
      const inner = connect(port, '127.0.0.1')
      client.pipe(inner).pipe(client)
      for (const socket of [client, inner]) socket.on('error', () => socket.destroy())
      client.on('close', () => inner.destroy())
    }
    connections++
    if (connections > 1) {
      begin()
      client.on('close', () => waiting?.())
      return
    }
    const timer = setTimeout(() => waiting?.(), ms)
    waiting = () => {
      clearTimeout(timer)
      waiting = undefined
      begin()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { host: `127.0.0.1:${address.port}`, close: () => server.close() }
}
