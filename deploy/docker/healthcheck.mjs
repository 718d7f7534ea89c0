// The image's health check: whether the admin interface of the container's process answers, which every service opens last.
import { get } from 'node:http'

const port = process.env.ASHLAR_ADMIN_PORT ?? '9180'
const asked = get({ host: '127.0.0.1', port, path: '/healthz', timeout: 4000, agent: false }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1)
})
asked.on('timeout', () => process.exit(1))
asked.on('error', () => process.exit(1))
