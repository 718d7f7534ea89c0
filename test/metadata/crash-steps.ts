/** What the versioned writer of the crash test does, and the plain model of what must come of it. */

export const CRASH_BUCKETS = ['kept', 'switched'] as const

/** One request; versions and blobs are named by 32 digits of the writer's own choice. */
export interface Step {
  readonly kind: 'put' | 'mark' | 'remove' | 'annotate' | 'unannotate'
  readonly bucket: string
  readonly key: string
  /** That is made, removed or annotated. */
  readonly version: string
  /** As clients name it, of a version that is there already. */
  readonly versionId: string
  /** Of the object or the annotation that is written; otherwise empty. */
  readonly blob: string
  /** Of the annotation; otherwise empty. */
  readonly name: string
}

/** A line of the writer's: each step is told before it is asked for, and again when it is acknowledged. */
export interface CrashLine {
  readonly writer: number
  readonly state: 'begun' | 'acknowledged'
  readonly step: Step
}

interface ModelVersion {
  readonly version: string
  readonly isNull: boolean
  readonly marker: boolean
  readonly blob: string
  /** Blob by name. */
  readonly annotations: ReadonlyMap<string, string>
}

/** Versions of one key, the newest first. */
export type ModelKey = readonly ModelVersion[]

/** @param nullVersions whether what is made now is the null version: the bucket's versioning is suspended */
export function after(versions: ModelKey, step: Step, nullVersions: boolean): ModelKey {
  const { kind, version, blob, name } = step
  if (kind === 'put' || kind === 'mark') {
    const made = { version, isNull: nullVersions, marker: kind === 'mark', blob, annotations: new Map() }
    return [made, ...versions.filter((one) => !(nullVersions && one.isNull))]
  }
  if (kind === 'remove') return versions.filter((one) => one.version !== version)
  return versions.map((one) => {
    if (one.version !== version) return one
    const annotations = new Map(one.annotations)
    if (kind === 'annotate') annotations.set(name, blob)
    else annotations.delete(name)
    return { ...one, annotations }
  })
}

/** `version`, with `-` for a delete marker and its annotations. */
export function linesOf(versions: ModelKey): string[] {
  return versions.map(({ version, marker, annotations }) => lineOf(version, marker, annotations))
}

export function lineOf(version: string, marker: boolean, annotations: ReadonlyMap<string, string>): string {
  const notes = [...annotations].map(([name, blob]) => ` ${name}=${blob}`).sort()
  return `${version}${marker ? '-' : ''}${notes.join('')}`
}

/** Blobs that can be reached. */
export function blobsOf(versions: ModelKey): string[] {
  return versions.flatMap(({ blob, annotations }) => [
    ...(blob === '' ? [] : [blob]),
    ...annotations.values(),
  ])
}
