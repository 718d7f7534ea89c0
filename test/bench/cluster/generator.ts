/** The load generator, a process of its own: takes jobs over IPC, one at a time. See job.ts. */
import { ContentCheck, contentOf } from './content.ts'
import { HttpConnection } from './http-connection.ts'
import type { Endpoint, Job, LoadJob, Outcome, Reply } from './job.ts'
import { headSigner } from './signed-head.ts'

const NOTHING: readonly Uint8Array[] = []

type HeadMaker = ReturnType<typeof headSigner>

function signerOf({ host, port, accessKeyId, secretAccessKey }: Endpoint): HeadMaker {
  return headSigner({ host: `${host}:${port}`, accessKeyId, secretAccessKey })
}

function pathOf({ bucket }: Endpoint, object: number): string {
  return `/${bucket}/object-${object}`
}

/** Opens `clients` connections, runs `each` on all of them, closes them. */
async function withClients(
  { host, port }: Endpoint,
  clients: number,
  each: (connection: HttpConnection) => Promise<void>,
): Promise<number> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => HttpConnection.open(host, port)),
  )
  try {
    const began = performance.now()
    await Promise.all(connections.map(each))
    return (performance.now() - began) / 1000
  } finally {
    for (const connection of connections) connection.close()
  }
}

async function load(job: LoadJob): Promise<Outcome> {
  const head = signerOf(job.endpoint)
  const { kind, endpoint, size, operations } = job
  const latencies: number[] = []
  const end = performance.now() + job.seconds * 1000
  let next = 0
  const seconds = await withClients(endpoint, job.clients, async (connection) => {
    for (let now = performance.now(); now < end && next < operations;) {
      const object = job.firstObject + (next++ % job.objects)
      const path = pathOf(endpoint, object)
      if (kind === 'put') {
        await connection.exchange({ head: head('PUT', path, '', size), body: contentOf(object, size) })
      } else {
        const check = new ContentCheck(object, size)
        const take = (piece: Buffer): void => {
          check.take(piece)
        }
        await connection.exchange({ head: head('GET', path, '', 0), body: NOTHING, take })
        check.end()
      }
      const after = performance.now()
      latencies.push(after - now)
      now = after
    }
  })
  return outcomeOf(latencies, seconds)
}

async function upload({
  endpoint,
  object,
  size,
  partSize,
  clients,
}: Extract<Job, { kind: 'upload' }>): Promise<Outcome> {
  const head = signerOf(endpoint)
  const path = pathOf(endpoint, object)
  const etags: string[] = []
  const latencies: number[] = []
  let uploadId: string | undefined
  const creating = Promise.withResolvers<undefined>()
  const parts = Math.ceil(size / partSize)
  let next = 0
  const seconds = await withClients(endpoint, clients, async (connection) => {
    if (next === 0) {
      next = 1
      const text = await document(connection, head('POST', path, 'uploads=', 0))
      uploadId = /<UploadId>([^<]+)</.exec(text)?.[1]
      creating.resolve(undefined)
    }
    await creating.promise
    if (uploadId === undefined) throw new Error('no upload id')
    while (next <= parts) {
      const part = next++
      const start = (part - 1) * partSize
      const bytes = Math.min(partSize, size - start)
      const query = `partNumber=${part}&uploadId=${encodeURIComponent(uploadId)}`
      const began = performance.now()
      const answer = await connection.exchange({
        head: head('PUT', path, query, bytes),
        body: contentOf(object, bytes, start),
      })
      latencies.push(performance.now() - began)
      etags[part - 1] = /\r\netag: *("[^"]*")/i.exec(answer)?.[1] ?? ''
    }
  })
  const listed = etags.map((etag, i) => `<Part><ETag>${etag}</ETag><PartNumber>${i + 1}</PartNumber></Part>`)
  const body = Buffer.from(`<CompleteMultipartUpload>${listed.join('')}</CompleteMultipartUpload>`)
  const query = `uploadId=${encodeURIComponent(uploadId ?? '')}`
  await withClients(endpoint, 1, async (connection) => {
    const text = await document(connection, head('POST', path, query, body.byteLength), [body])
    if (!text.includes('</CompleteMultipartUploadResult>')) throw new Error(`not completed: ${text}`)
  })
  return outcomeOf(latencies, seconds)
}

async function document(
  connection: HttpConnection,
  head: string,
  body: readonly Uint8Array[] = NOTHING,
): Promise<string> {
  const pieces: Buffer[] = []
  await connection.exchange({ head, body, take: (piece) => void pieces.push(Buffer.from(piece)) })
  return Buffer.concat(pieces).toString()
}

function outcomeOf(latencies: readonly number[], seconds: number): Outcome {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0
  return { operations: sorted.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function createBucket(endpoint: Endpoint): Promise<Outcome> {
  const head = signerOf(endpoint)('PUT', `/${endpoint.bucket}`, '', 0)
  const seconds = await withClients(endpoint, 1, async (connection) => {
    await connection.exchange({ head, body: NOTHING })
  })
  return outcomeOf([seconds * 1000], seconds)
}

async function carryOut(job: Job): Promise<Outcome> {
  switch (job.kind) {
    case 'create-bucket':
      return await createBucket(job.endpoint)
    case 'upload':
      return await upload(job)
    case 'put':
    case 'get':
      return await load(job)
  }
}

process.on('message', (job: Job) => {
  const answer = (reply: Reply): void => {
    process.send?.(reply)
  }
  carryOut(job).then(
    (outcome) => {
      answer({ outcome })
    },
    (error: unknown) => {
      answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    },
  )
})
// Nobody is left to work for.
process.on('disconnect', () => process.exit())
