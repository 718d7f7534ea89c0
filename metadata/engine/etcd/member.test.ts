import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { promisify } from 'node:util'

const execute = promisify(execFile)

test('a process that does nothing but connect to a member that hangs lives until the time for it is over', async (t) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).resume()
  }).listen(0, '127.0.0.1')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  const address = server.address()
  const port = String(typeof address === 'object' ? address?.port : address)
  const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
  const program = `
    import { credentials } from '@grpc/grpc-js'
    import { Member } from ${here('./member.ts')}
    import { systemClock } from ${here('../../../runtime/clock/system-clock.ts')}
    const member = new Member('127.0.0.1:${port}', credentials.createInsecure(), systemClock)
    await member.stream({}, undefined).catch((error) => console.log(error.message))
    member.close()`
  const { stdout } = await execute(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: new URL('.', import.meta.url),
  })
  assert.match(stdout, /no connection/)
})
