/**
 * What a cluster is held against: the least that a server of objects can do on this machine and Node. A PUT's body goes
 * through MD5 and to the end of one file, which is synced before the answer; a GET is answered from memory. No signature,
 * no erasure code, one copy, no group commit.
 *
 * `node anchor-server.ts <file>`; sends the port it listens on over IPC.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { contentOf } from './content.ts'

const file = await open(process.argv[2] ?? '', 'w')
const sizes = new Map<string, number>()
let end = 0

async function put(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const size = Number(request.headers['content-length'])
  let at = end
  end += size
  const md5 = createHash('md5')
  for await (const chunk of request as AsyncIterable<Buffer>) {
    md5.update(chunk)
    await file.write(chunk, 0, chunk.byteLength, at)
    at += chunk.byteLength
  }
  await file.datasync()
  sizes.set(request.url ?? '', size)
  response.setHeader('etag', `"${md5.digest('hex')}"`)
  response.setHeader('content-length', 0)
  response.end()
}

async function get(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const size = sizes.get(request.url ?? '')
  const object = Number(/-(\d+)$/.exec(request.url ?? '')?.[1])
  if (size === undefined) {
    response.statusCode = 404
    response.setHeader('content-length', 0)
    response.end()
    return
  }
  response.setHeader('content-length', size)
  for (const piece of contentOf(object, size)) if (!response.write(piece)) await once(response, 'drain')
  response.end()
}

const server = createServer({ noDelay: true }, (request, response) => {
  const answer = request.method === 'PUT' ? put(request, response) : get(request, response)
  answer.catch((error: unknown) => {
    console.error(error)
    response.destroy()
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.(address.port)
})
process.on('disconnect', () => process.exit())
