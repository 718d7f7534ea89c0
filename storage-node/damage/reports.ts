import { DAMAGE_REPORTS_WAITING_MAX } from '../../core/limits.ts'
import type { Log } from '../../runtime/ports/log.ts'
import { segmentPath } from '../segment/files.ts'
import type { Finding } from './plan.ts'

export interface DamageReportPorts {
  /** Lists shards as damaged; resolves to those that were not. */
  mark(findings: readonly Finding[]): Promise<readonly Finding[]>
  readonly log: Log
}

/** Brings what is found damaged into the list, many findings together, without making those wait who found it. */
export class DamageReports {
  readonly #ports: DamageReportPorts
  readonly #waiting: Finding[] = []
  #marking: Promise<void> | undefined

  constructor(ports: DamageReportPorts) {
    this.#ports = ports
  }

  /** Lists a shard soon. What does not fit in memory is dropped: whoever reads it again, or the scrub, finds it again. */
  report(finding: Finding): void {
    if (this.#waiting.length >= DAMAGE_REPORTS_WAITING_MAX) return
    this.#waiting.push(finding)
    this.#marking ??= this.#markAll()
  }

  /** Lists shards now; resolves to how many were not known. @throws as the index */
  async mark(findings: readonly Finding[]): Promise<number> {
    if (findings.length === 0) return 0
    const marked = await this.#ports.mark(findings)
    for (const { address, location, reason } of marked.slice(0, 10)) {
      const file = segmentPath(location.segment)
      this.#ports.log.error('a shard is damaged', { ...address, reason, file, offset: location.offset })
    }
    if (marked.length > 10) this.#ports.log.error('more shards are damaged', { count: marked.length - 10 })
    return marked.length
  }

  /** Resolves when everything reported so far is listed, or could not be. */
  async idle(): Promise<void> {
    while (this.#marking !== undefined) await this.#marking
  }

  async #markAll(): Promise<void> {
    // Findings of the same turn of the event loop go together.
    await Promise.resolve()
    try {
      while (this.#waiting.length > 0) await this.mark(this.#waiting.splice(0))
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#ports.log.warn('damage could not be listed', { error: reason })
    } finally {
      this.#marking = undefined
    }
  }
}
