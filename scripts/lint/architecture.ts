/**
 * An oxlint plugin that holds the code against scripts/import-matrix.ts. These are rules of the linter and
 * not text searches because only a parser with scopes can tell a type from a value, a shadowed name from a
 * global, and code from a comment.
 */
import { ambientRule } from './ambient-rule.ts'
import { importsRule } from './imports-rule.ts'

export default {
  meta: { name: 'architecture' },
  rules: { imports: importsRule, ambient: ambientRule },
}
