import { startMetadata } from '../../metadata/main.ts'
import { createBucket, objectInit } from '../contract/metadata-requests.ts'
import { metadataConfig, world } from '../contract/metadata-service.ts'

/**
 * Commits without end and prints what was acknowledged, `<key> <version>` a line; crash.test.ts kills it.
 * Arguments: the data folder, the number of the run.
 */
const [dataDirectory = '', run = ''] = process.argv.slice(2)
const { api } = await startMetadata(metadataConfig({ engine: 'level', dataDirectory }), world)
if (run === '0') await createBucket(api)

async function write(writer: number): Promise<never> {
  for (let index = 0; ; index++) {
    const key = `${writer}/${index % 5}`
    const version = `${run}${writer}${index}`.padStart(32, '0')
    const { object } = await api.call('commitObject', { object: objectInit(key, { version }) })
    process.stdout.write(`${key} ${object?.version ?? ''} ${index}\n`)
  }
}

await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(write))
