import { join } from 'node:path'
import { root } from './root.ts'

/**
 * Where Node keeps sources stripped and compiled, which every test file and every service that a test starts would do anew. The same
 * place as that of `cli/ashlar`.
 */
export const compileCache = join(root, 'node_modules/.cache/compile')
