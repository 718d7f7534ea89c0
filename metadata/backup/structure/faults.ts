import { BACKUP_FAULTS_NAMED_MAX } from '../../../core/limits.ts'

/** What a check has found to be wrong, a sentence each: the first are kept, all are counted. */
export class Faults {
  readonly named: string[] = []
  #count = 0

  get count(): number {
    return this.#count
  }

  add(fault: string): void {
    this.#count++
    if (this.named.length < BACKUP_FAULTS_NAMED_MAX) this.named.push(fault)
  }

  /** What does not throw is well. */
  try<T>(what: string, run: () => T): T | undefined {
    try {
      return run()
    } catch (error) {
      this.add(`${what}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }
}
