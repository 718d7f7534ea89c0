import { create } from '@bufbuild/protobuf'
import { credentials, type ChannelCredentials } from '@grpc/grpc-js'
import { ETCD_REQUEST_BYTES_DEFAULT } from '../../../core/limits.ts'
import { TxnRequestSchema } from '../../../proto/gen/etcdserverpb/rpc_pb.js'
import { type Engine, EngineOpenError } from '../engine.ts'
import { nest } from './commits.ts'
import { EtcdEngine, type EtcdWorld, limitsOf } from './engine.ts'
import { EtcdError } from './errors.ts'
import { EtcdKeys } from './keys.ts'
import { Members } from './members.ts'
import { compareValue, deleteOf, txnMethod } from './requests.ts'
import { type EtcdConfig, parseEtcdUrl } from './url.ts'

export interface EtcdPorts extends EtcdWorld {
  /** Files of certificates and keys. */
  readonly readFile: (path: string) => Promise<Uint8Array>
}

/**
 * Opens the engine on an ensemble that `etcd://[user:password@]host:port,…[/prefix][?options]` names; docs/engines.md says more.
 * @throws {EngineOpenError} the address is wrong, nobody answers, or the ensemble takes less than the address says
 */
export async function openEtcdEngine(url: string, ports: EtcdPorts): Promise<Engine> {
  const config = parseEtcdUrl(url)
  const members = new Members(config, await credentialsOf(config, ports), ports.clock, ports.random)
  try {
    await probe(members, config)
  } catch (error) {
    members.close()
    throw openError(config, error)
  }
  const engine = new EtcdEngine(members, config, ports)
  try {
    await engine.begin()
    return engine
  } catch (error) {
    await engine.close()
    throw openError(config, error)
  }
}

async function credentialsOf({ tls }: EtcdConfig, { readFile }: EtcdPorts): Promise<ChannelCredentials> {
  if (tls === undefined) return credentials.createInsecure()
  const [ca, key, cert] = await Promise.all(
    [tls.ca, tls.key, tls.cert].map(async (path) => {
      if (path === undefined) return null
      try {
        return Buffer.from(await readFile(path))
      } catch (error) {
        throw new EngineOpenError(`cannot read ${path}`, { cause: error })
      }
    }),
  )
  try {
    return credentials.createSsl(ca, key, cert)
  } catch (error) {
    throw new EngineOpenError('the certificates for etcd are not what they should be', { cause: error })
  }
}

/**
 * A transaction as large as batches may be, which changes nothing: what it compares with never holds, for there is no such key.
 * Its bytes only where the address says more of them than etcd takes by default.
 */
async function probe(members: Members, config: EtcdConfig): Promise<void> {
  const keys = new EtcdKeys(config.prefix)
  const { operations, bytes } = limitsOf(config, keys)
  const padding = new Uint8Array(config.requestBytes > ETCD_REQUEST_BYTES_DEFAULT ? bytes : 1)
  const request = create(TxnRequestSchema, {
    compare: [compareValue(keys.nothing, padding)],
    success: nest(
      Array.from({ length: operations }, () => deleteOf(keys.nothing)),
      1,
      config.txnOperations,
    ),
  })
  await members.call(txnMethod, request)
}

function openError({ endpoints }: EtcdConfig, error: unknown): EngineOpenError {
  const at = endpoints.join(', ')
  if (error instanceof EngineOpenError) return error
  if (error instanceof EtcdError && error.kind === 'request-too-large') {
    return new EngineOpenError(
      `etcd at ${at} takes smaller requests than the address says: --max-txn-ops and --max-request-bytes go with txn-ops and request-bytes`,
      { cause: error },
    )
  }
  const reason = error instanceof Error ? error.message : String(error)
  return new EngineOpenError(`cannot open the metadata in etcd at ${at}: ${reason}`, { cause: error })
}
