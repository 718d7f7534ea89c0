import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { linesAtMost, linesWithoutReason, reasons } from '../file-sizes.ts'
import { sourceFiles } from './source-files.ts'

/** What is wrong with the length of one file, or undefined. */
function sizeFault(path: string, lines: number, reason: string | undefined): string | undefined {
  if (lines > linesAtMost) return `${path}: ${lines} lines, more than ${linesAtMost}: cut it`
  if (lines > linesWithoutReason) {
    if (reason !== undefined) return undefined
    return `${path}: ${lines} lines, more than ${linesWithoutReason}: cut it, or say why in scripts/file-sizes.ts`
  }
  if (reason === undefined) return undefined
  return `${path}: ${lines} lines need no reason: take it out of scripts/file-sizes.ts`
}

/** Faults of all source files under `root`, generated code apart. */
export async function sizeFaults(root: string): Promise<string[]> {
  const files = await sourceFiles(root, ['.ts', '.js', '.mjs', '.cjs', '.sh', '.proto'])
  const faults = Object.keys(reasons)
    .filter((path) => !files.includes(path))
    .map((path) => `${path}: has a reason in scripts/file-sizes.ts, but is not there`)
  for (const path of files) {
    const text = await readFile(join(root, path), 'utf8')
    const fault = sizeFault(path, text.split('\n').length - 1, reasons[path])
    if (fault !== undefined) faults.push(fault)
  }
  return faults
}
