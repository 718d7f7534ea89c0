import { relative } from 'node:path'
import type { RuleTester } from 'oxlint/plugins-dev'
import { portable } from '../lib/source-files.ts'

/** oxlint exports the types of its rules only through its rule tester. */
export type Rule = Exclude<Parameters<RuleTester['run']>[1], { createOnce: unknown }>
export type Context = Parameters<Rule['create']>[0]
export type Visitor = ReturnType<Rule['create']>
type Statement = Parameters<NonNullable<Visitor['ImportDeclaration']>>[0]

/** Any syntax node of oxlint's tree. */
export type Syntax = NonNullable<Statement['parent']>

/** One module specifier as written, and what is taken from it. */
export interface Imported {
  readonly node: Syntax
  readonly specifier: string
  /** Nothing of it is left when types are stripped. */
  readonly typeOnly: boolean
  /** The values taken by name; undefined where the whole module is (namespace, default, dynamic, `export *`). */
  readonly names: readonly string[] | undefined
}

/** The linted file, relative to the checkout. */
export function pathOf(context: Context): string {
  return portable(relative(context.cwd, context.filename))
}

/**
 * Visits every way one file of ours can name another: static and dynamic imports, re-exports, type imports,
 * and `new URL('./worker.ts', import.meta.url)`, since a worker's entry file is code of the room it lies in.
 */
export function importVisitor(found: (imported: Imported) => void): Visitor {
  return {
    ImportDeclaration(node) {
      const values = node.specifiers.filter(
        (specifier) => !(specifier.type === 'ImportSpecifier' && specifier.importKind === 'type'),
      )
      const typeOnly = node.importKind === 'type' || (node.specifiers.length > 0 && values.length === 0)
      const names: string[] = []
      for (const specifier of values) {
        if (specifier.type !== 'ImportSpecifier') continue
        const { imported } = specifier
        names.push(imported.type === 'Literal' ? imported.value : imported.name)
      }
      const whole = values.length === 0 || names.length < values.length
      found({ node, specifier: node.source.value, typeOnly, names: whole ? undefined : names })
    },
    ExportNamedDeclaration(node) {
      if (node.source === null) return
      const names = node.specifiers.map(({ local }) => (local.type === 'Literal' ? local.value : local.name))
      found({ node, specifier: node.source.value, typeOnly: node.exportKind === 'type', names })
    },
    ExportAllDeclaration(node) {
      found({ node, specifier: node.source.value, typeOnly: node.exportKind === 'type', names: undefined })
    },
    ImportExpression(node) {
      const { source } = node
      if (source.type !== 'Literal' || typeof source.value !== 'string') return
      found({ node, specifier: source.value, typeOnly: false, names: undefined })
    },
    TSImportType(node) {
      found({ node, specifier: node.source.value, typeOnly: true, names: undefined })
    },
    NewExpression(node) {
      const [target, base] = node.arguments
      if (node.callee.type !== 'Identifier' || node.callee.name !== 'URL') return
      if (target?.type !== 'Literal' || typeof target.value !== 'string') return
      if (base?.type !== 'MemberExpression' || base.object.type !== 'MetaProperty') return
      if (!/^\..*\.[cm]?[jt]s$/.test(target.value)) return
      found({ node, specifier: target.value, typeOnly: false, names: undefined })
    },
  }
}
