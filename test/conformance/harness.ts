/** What the conformance tests share: one cluster a test file, a client of the AWS SDK, and requests that no SDK sends. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { CreateBucketCommand, S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { startTestCluster, type TestCluster, type TestClusterOptions } from './cluster.ts'
import { sendRaw, type RawRequest, type RawResponse } from './signed-request.ts'

export interface Conformance extends Pick<
  TestCluster,
  'faults' | 'metadata' | 'metadataNode' | 'nodes' | 'shardCount'
> {
  /** Path style; one attempt a request, so that errors are seen as they are. */
  readonly client: S3Client
  readonly region: string
  /** `host:port`. */
  readonly address: string
  /** Of `client`; everything else is unknown to the gateway. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** A client of another account of the options, or, without keys, of nobody: its requests are not signed. */
  clientOf(keys: KeyPair | undefined): S3Client
  /** Makes a bucket of a name that no other test uses. */
  newBucket(): Promise<string>
  /** Sends a request, signed unless it says otherwise. */
  raw(request: RawRequest): Promise<RawResponse>
  /** Undoes whatever a test has broken. */
  heal(): void
}

type KeyPair = Conformance['credentials']

/** The host name of virtual-host style requests. */
export const DOMAIN = 's3.test'

const credentials = { accessKeyId: 'AKIDCONFORMANCE', secretAccessKey: 'conformance/secret+key' }

/** Starts a cluster that ends with the test file. Call it at the top of the file. */
export async function startConformance(
  region = 'us-east-1',
  options: Omit<TestClusterOptions, 'region' | 'credentials' | 'domains' | 'gateways'> = {},
): Promise<Conformance> {
  const cluster = await startTestCluster({ region, credentials, domains: [DOMAIN], ...options })
  const { address, faults, metadata, metadataNode, nodes } = cluster
  const clients: S3Client[] = []
  const clientOf = (keys: KeyPair | undefined): S3Client => {
    const common = { region, endpoint: `http://${address}`, forcePathStyle: true, maxAttempts: 1 }
    const made =
      keys === undefined
        ? new S3Client({ ...common, credentials, signer: { sign: async (request) => request } })
        : new S3Client({ ...common, credentials: keys })
    clients.push(made)
    return made
  }
  const client = clientOf(credentials)
  after(async () => {
    for (const made of clients) made.destroy()
    await cluster.close()
  })
  let buckets = 0
  return {
    client,
    clientOf,
    region,
    address,
    credentials,
    faults,
    metadata,
    metadataNode,
    nodes,
    shardCount: () => cluster.shardCount(),
    async newBucket() {
      const Bucket = `conformance-${(buckets += 1)}`
      await client.send(
        new CreateBucketCommand({
          Bucket,
          ...(region === 'us-east-1'
            ? {}
            : { CreateBucketConfiguration: { LocationConstraint: locationOf(region) } }),
        }),
      )
      return Bucket
    },
    raw: (request) => sendRaw({ address, region, credentials }, request),
    heal() {
      faults.unreachable.clear()
      faults.metadata = () => undefined
    },
  }
}

function locationOf(region: string): 'eu-west-1' | 'eu-central-1' {
  assert.ok(region === 'eu-west-1' || region === 'eu-central-1', `add ${region} here`)
  return region
}

/** For `assert.rejects`: an error of S3 with this code and status, and where given this message. */
export function s3Error(
  code: string,
  status: number,
  message?: string | RegExp,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof S3ServiceException, `not an S3 error: ${String(error)}`)
    assert.equal(error.name, code)
    assert.equal(error.$metadata.httpStatusCode, status)
    if (message instanceof RegExp) assert.match(error.message, message)
    else if (message !== undefined) assert.equal(error.message, message)
    return true
  }
}

/** The HTTP status of an answer that the SDK threw. */
export function statusOf(error: unknown): number | undefined {
  assert.ok(error instanceof S3ServiceException, `not an S3 error: ${String(error)}`)
  return error.$metadata.httpStatusCode
}
