import type { ConfigSchema } from '../runtime/config/layers.ts'

/** A command by what it takes: `ashlar node add NAME`. */
export interface CommandRow {
  readonly name: string
  /** Names of what must be given, in order. */
  readonly args: readonly string[]
  readonly schema: ConfigSchema
  readonly description: string
}
