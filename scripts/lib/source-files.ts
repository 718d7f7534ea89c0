import { readdir } from 'node:fs/promises'
import { join, sep } from 'node:path'

/** Directories that hold no source of ours: installed packages, data of a cluster started in the checkout. */
const skipped = new Set(['node_modules', 'data'])

/**
 * Source files under `root`, as sorted paths relative to it with `/`, whose names end in one of `endings`.
 * Generated code (proto/gen) and hidden directories are left out.
 */
export async function sourceFiles(root: string, endings: readonly string[]): Promise<string[]> {
  const found: string[] = []
  async function visit(directory: string): Promise<void> {
    for (const entry of await readdir(join(root, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`
      if (entry.isDirectory()) {
        if (entry.name.startsWith('.') || path === 'proto/gen') continue
        if (!skipped.has(path)) await visit(path)
      } else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) {
        found.push(path)
      }
    }
  }
  await visit('')
  return found.sort()
}

/** `path` as the rest of these scripts writes it: with `/` whatever the machine. */
export function portable(path: string): string {
  return path.split(sep).join('/')
}
