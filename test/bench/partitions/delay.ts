import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { atEnd, type Lifetime } from '../../cluster/lifetime.ts'

/**
 * A port of this machine behind which another one seems to be far away: every byte is on its way for so long, there and back. Nothing
 * is lost or held back besides. Resolves to the port; ends with `run`.
 */
export async function delayed(run: Lifetime, port: number, delayMs: number): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port, noDelay: true })
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => setTimeout(() => to.write(bytes), delayMs))
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.on('error', () => undefined)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(run, () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
