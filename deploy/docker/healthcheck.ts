/** The image's health check: whether the admin interface of the container's process answers, which every service opens last. */
import { get } from 'node:http'

/** Less than the timeout of the Dockerfile's HEALTHCHECK, which would kill this. */
const TIMEOUT_MS = 9000

const port = process.env['ASHLAR_ADMIN_PORT'] ?? ''
const asked = get(
  { host: '127.0.0.1', port, path: '/healthz', timeout: TIMEOUT_MS, agent: false },
  (answer) => {
    process.exit(answer.statusCode === 200 ? 0 : 1)
  },
)
for (const event of ['timeout', 'error']) asked.once(event, () => process.exit(1))
