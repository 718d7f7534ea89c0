/**
 * A storage node in a process of its own, for tests that kill it: `node storage-node-worker.ts <folder> <secret>`.
 * Prints its address once it serves, on a line of its own.
 */
import { MetadataError } from '../../proto/metadata-api.ts'
import { FailureCode } from '../../proto/gen/ashlar/v1/metadata_pb.js'
import { systemClock } from '../../runtime/clock/system-clock.ts'
import { silentLog } from '../../runtime/log/pino-log.ts'
import { systemRandom } from '../../runtime/random/system-random.ts'
import { startStorageNode } from '../../storage-node/main.ts'

const [dataDirectory = '', secret = ''] = process.argv.slice(2)
const listen = { host: '127.0.0.1', port: 0, secret }
const { address } = await startStorageNode(
  { nodeId: 'n1', zone: 'a', dataDirectory, listen },
  {
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    metadata: { call: () => Promise.reject(new MetadataError(FailureCode.UNAVAILABLE, 'there is none')) },
  },
)
process.stdout.write(`${address ?? ''}\n`)
