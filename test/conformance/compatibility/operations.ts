import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { s3Operations } from '../../../gateway/schema/operations.ts'
import { builtOperations, unconfiguredOperations } from '../built.ts'
import { areaOf, NOTES } from './areas.ts'

/** One operation of S3, for the document. */
export interface OperationEntry {
  readonly name: string
  /** `unconfigured`: answers as for a bucket that has none of what it reads, which cannot be set yet. */
  readonly state: 'built' | 'unconfigured' | 'missing'
  /** Folder of gateway/operations/ that holds it, or the area of S3 that is not built. */
  readonly area: string
  /** Names of its files in test/conformance/. */
  readonly tests: readonly string[]
  readonly note: string
}

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** The one file that tests all operations of what cannot be set. */
const UNCONFIGURED_TEST = 'unconfigured.test.ts'

/**
 * All operations of the schema, by name.
 * @throws {Error} that names every built operation without a file of its own in test/conformance/ or gateway/operations/, and
 * every note of one that is not built
 */
export async function operationEntries(): Promise<readonly OperationEntry[]> {
  const files = (await readdir(at('test/conformance'))).filter((file) => file.endsWith('.test.ts')).sort()
  const families = await familiesByFile()
  const entries = [...s3Operations.keys()].map((name): OperationEntry => {
    const note = NOTES[name] ?? ''
    if (unconfiguredOperations.has(name)) {
      const tests = files.filter((file) => file === UNCONFIGURED_TEST || isTestOf(file, name))
      return { name, state: 'unconfigured', area: areaOf(name), tests, note }
    }
    if (!builtOperations.has(name)) return { name, state: 'missing', area: areaOf(name), tests: [], note }
    const tests = files.filter((file) => isTestOf(file, name))
    return { name, state: 'built', area: families.get(fileOf(name)) ?? '', tests, note }
  })
  const faults = entries.flatMap(faultsOf)
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return entries
}

function faultsOf({ name, state, area, tests, note }: OperationEntry): string[] {
  const faults: string[] = []
  if (state !== 'built' && note !== '') faults.push(`${name} is not built, but areas.ts has a note on it`)
  if (state !== 'missing' && tests.length === 0) {
    faults.push(`${name} is built, but there is no test/conformance/${name}.test.ts`)
  }
  if (area === '') faults.push(`${name} is built, but no folder of gateway/operations holds ${fileOf(name)}`)
  return faults
}

/** `GetObject.test.ts`, and what follows a dot or a dash: `GetObject.ranges.test.ts`. */
function isTestOf(file: string, operation: string): boolean {
  return file.startsWith(`${operation}.`) || file.startsWith(`${operation}-`)
}

/** `ListObjectsV2` → `list-objects-v2.ts`. */
function fileOf(operation: string): string {
  return `${operation.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase()}.ts`
}

async function familiesByFile(): Promise<Map<string, string>> {
  const entries = await readdir(at('gateway/operations'), { recursive: true })
  return new Map(
    entries.flatMap((entry) => {
      const [family, file] = entry.split(/[\\/]/)
      return family === undefined || file === undefined ? [] : [[file, family] as const]
    }),
  )
}
