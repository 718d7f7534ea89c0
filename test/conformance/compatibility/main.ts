/**
 * Writes docs/s3-compatibility.md; with `--check` only compares. `npm run generate` and `npm run check generated` run it.
 * Exit code 1 where it differs, or where a built operation has no conformance test.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { readExpectations } from '../s3-tests/expectations.ts'
import { compatibilityDocument } from './document.ts'
import { operationEntries } from './operations.ts'

const DOCUMENT = 'docs/s3-compatibility.md'

const path = fileURLToPath(new URL(`../../../${DOCUMENT}`, import.meta.url))
const list = readExpectations(await readFile(new URL('../s3-tests.json', import.meta.url), 'utf8'))

async function main(check: boolean): Promise<number> {
  const made = compatibilityDocument(await operationEntries(), list)
  if (!check) {
    await writeFile(path, made)
    return 0
  }
  if ((await readFile(path, 'utf8').catch(() => '')) === made) return 0
  process.stdout.write(`${DOCUMENT}: not what the table, the tests and s3-tests.json make\n`)
  return 1
}

process.exitCode = await main(process.argv.includes('--check')).catch((error: unknown) => {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`)
  return 1
})
