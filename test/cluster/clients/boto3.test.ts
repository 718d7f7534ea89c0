import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import { startCluster, temporaryFolder } from '../harness.ts'
import { awsEnvironment, digestOf, makeFile, run } from '../tools.ts'
import { LARGE_BYTES } from './sizes.ts'

const PROGRAM = fileURLToPath(new URL('./boto3_client.py', import.meta.url))

/** The first Python that has boto3: the one of the path, or the system's. */
async function pythonWithBoto3(): Promise<string | undefined> {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      await run(python, ['-c', 'import boto3'])
      return python
    } catch {
      // Another one may have it.
    }
  }
  return undefined
}

const python = await pythonWithBoto3()
const skip = python === undefined ? 'boto3 is not installed' : false

for (const part of ['transfer', 'post', 'paginate', 'versions', 'text']) {
  test(`boto3: ${part}`, { skip }, async (t) => {
    const cluster = await startCluster(t)
    const folder = await temporaryFolder(t)
    const [up, down] = [join(folder, 'up.bin'), join(folder, 'down.bin')]
    await makeFile(up, part, part === 'transfer' ? LARGE_BYTES : 100_000)
    // It raises, and so ends with 1, where an answer is not what it should be.
    await run(python ?? '', [PROGRAM, part, up, down], awsEnvironment(cluster))
    assert.equal(await digestOf(down), await digestOf(up))
  })
}
