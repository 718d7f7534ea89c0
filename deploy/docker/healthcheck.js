/**
 * The image's health check: whether the admin interface of the container's process answers, which every service opens last.
 * A process of its own every ten seconds, in every container: in JavaScript and without Node's HTTP it takes a quarter of the time.
 */
import { connect } from 'node:net'

/** Less than the timeout of the Dockerfile's HEALTHCHECK, which would kill this. */
const TIMEOUT_MS = 9000

let answer = ''
const port = Number(process.env['ASHLAR_ADMIN_PORT'])
const socket = connect({ host: '127.0.0.1', port, timeout: TIMEOUT_MS }, () => {
  socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
})
socket.on('data', (bytes) => {
  answer += bytes.toString('latin1')
})
socket.once('close', () => process.exit(answer.startsWith('HTTP/1.1 200 ') ? 0 : 1))
for (const event of ['timeout', 'error']) socket.once(event, () => process.exit(1))
