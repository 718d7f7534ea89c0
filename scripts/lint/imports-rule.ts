import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { rooms, testSupport } from '../import-matrix.ts'
import { type Imported, importVisitor, pathOf, type Rule } from './imported.ts'

/** The top-level directory of `path`, or undefined for files at the top (their imports are nobody's business). */
function roomOf(path: string): string | undefined {
  const slash = path.indexOf('/')
  return slash === -1 ? undefined : path.slice(0, slash)
}

/** Why the file at `path` may not import `imported`, or undefined where it may. */
function fault(path: string, { specifier, typeOnly }: Imported): string | undefined {
  const from = roomOf(path)
  if (from === undefined) return undefined
  const room = rooms[from]
  if (room === undefined) return `${from}/ has no row in scripts/import-matrix.ts`
  if (!specifier.startsWith('.')) {
    if (room.external || path.endsWith('.test.ts')) return undefined
    return `${from}/ may not import ${isBuiltin(specifier) ? "Node's modules" : 'npm packages'} (${specifier})`
  }
  const target = posix.join(posix.dirname(path), specifier)
  const to = roomOf(target)
  if (testSupport.test(target) && from !== 'test' && !path.endsWith('.test.ts') && !testSupport.test(path)) {
    return `only tests may import ${target}`
  }
  if (to === from) return undefined
  if (room.imports.includes(to ?? target)) return undefined
  if (to === undefined || to === '..') return `${from}/ may not import files outside the rooms (${specifier})`
  if (room.types?.includes(to) !== true) return `${from}/ may not import ${to}/ (${specifier})`
  return typeOnly ? undefined : `${from}/ may import only types of ${to}/ (${specifier})`
}

/** Every import of a file is one that `rooms` in scripts/import-matrix.ts allows. */
export const importsRule: Rule = {
  create(context) {
    const path = pathOf(context)
    return importVisitor((imported) => {
      const message = fault(path, imported)
      if (message !== undefined) context.report({ node: imported.node, message })
    })
  },
}
