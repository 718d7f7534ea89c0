import { isBuiltin } from 'node:module'
import { ambient, exceptions, worldly } from '../import-matrix.ts'
import { type Context, type Imported, importVisitor, pathOf, type Rule, type Syntax } from './imported.ts'

const modules: readonly string[] = ambient.modules
const globals: readonly string[] = ambient.globals
const names = new Map<string, readonly string[]>(Object.entries(ambient.names))
const members = new Map<string, readonly string[]>(Object.entries(ambient.members))

/** What of the world an import brings in, named as in `exceptions`. */
function importedUses({ specifier, typeOnly, names: taken }: Imported): string[] {
  if (typeOnly || !isBuiltin(specifier)) return []
  const module = specifier.replace(/^node:/, '')
  const base = module.replace(/\/.*/s, '')
  if (modules.includes(base)) return [`node:${module}`]
  const banned = names.get(base)
  if (banned === undefined) return []
  // What is taken from a namespace or default import cannot be seen here, so it has to be taken by name.
  if (taken === undefined || taken.includes('default')) return [`node:${base} as a whole`]
  return taken.filter((name) => banned.includes(name)).map((name) => `${base}.${name}`)
}

/** `b` where `node` is the `a` of `a.b` or `a['b']`. */
function memberOf(node: Syntax): string | undefined {
  const { parent } = node
  if (parent?.type !== 'MemberExpression' || parent.object !== node) return undefined
  const { property } = parent
  if (!parent.computed) return property.type === 'Identifier' ? property.name : undefined
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined
}

/** Names that `const { a, b } = node` takes. */
function destructured(node: Syntax): string[] {
  const { parent } = node
  if (parent?.type !== 'VariableDeclarator' || parent.init !== node) return []
  if (parent.id.type !== 'ObjectPattern') return []
  return parent.id.properties.flatMap((property) =>
    property.type === 'Property' && property.key.type === 'Identifier' ? [property.key.name] : [],
  )
}

/** What of the world the use of global `name` at `node` touches. */
function usesOfGlobal(name: string, node: Syntax): string[] {
  const { parent } = node
  const member = memberOf(node)
  if (name === 'globalThis' || name === 'global') {
    return member === undefined || parent === null ? [] : usesOfGlobal(member, parent)
  }
  if (globals.includes(name)) return [name]
  if (name === 'Date') {
    if (parent?.type === 'NewExpression' && parent.callee === node && parent.arguments.length === 0) {
      return ['new Date()']
    }
    if (parent?.type === 'CallExpression' && parent.callee === node) return ['Date()']
  }
  const banned = members.get(name)
  if (banned === undefined) return []
  const taken = member === undefined ? destructured(node) : [member]
  return taken.filter((one) => banned.includes(one)).map((one) => `${name}.${one}`)
}

/** A type named like a global (`Date`, `WebSocket`) is not a use of it. */
function isType({ parent }: Syntax): boolean {
  return /^TS(TypeReference|QualifiedName|TypeQuery|ClassImplements|InterfaceHeritage)$/.test(
    parent?.type ?? '',
  )
}

/** References of the file to names that it neither declares nor imports. */
function globalReferences(context: Context): { name: string; identifier: Syntax }[] {
  const scope = context.sourceCode.scopeManager.globalScope
  if (scope === null) return []
  const declared = scope.variables
    .filter(({ defs }) => defs.length === 0)
    .flatMap(({ references }) => references)
  return [...scope.through, ...declared].map(({ identifier }) => ({ name: identifier.name, identifier }))
}

/**
 * Only adapters, entry points and tests touch clocks, timers, randomness, disks, networks and the environment
 * (`ambient` and `worldly` in scripts/import-matrix.ts); `exceptions` there names the files with leave to,
 * and leave that is not used is reported too.
 */
export const ambientRule: Rule = {
  create(context) {
    const path = pathOf(context)
    if (worldly.some((pattern) => pattern.test(path))) return {}
    const unused = new Set(exceptions.filter(({ file }) => file === path).flatMap(({ uses }) => uses))
    const allowed = new Set(unused)
    function report(node: Syntax, use: string): void {
      unused.delete(use)
      if (allowed.has(use)) return
      const message = `${use} is ambient: take it as a port from runtime/ports (scripts/import-matrix.ts)`
      context.report({ node, message })
    }
    return {
      ...importVisitor((imported) => {
        for (const use of importedUses(imported)) report(imported.node, use)
      }),
      'Program:exit'(program) {
        for (const { name, identifier } of globalReferences(context)) {
          if (isType(identifier)) continue
          for (const use of usesOfGlobal(name, identifier)) report(identifier, use)
        }
        for (const use of unused) {
          context.report({
            node: program,
            message: `scripts/import-matrix.ts excepts ${use}, which is not used here`,
          })
        }
      },
    }
  },
}
