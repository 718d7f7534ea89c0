import { dirname, resolve } from 'node:path'
import { z } from 'zod'

/**
 * Configuration comes in layers: the command line over the environment over the file over the defaults. This is the
 * pure part: texts in, a checked configuration or a list of faults out.
 */

/** What one service can be configured by: a strict zod object. */
export type ConfigSchema = z.ZodObject<Readonly<Record<string, z.core.$ZodType>>>

export interface Field {
  /** As the file spells it: `secretFile`. */
  readonly key: string
  /** `--secret-file` */
  readonly flag: string
  /** `ASHLAR_SECRET_FILE` */
  readonly variable: string
  readonly description: string
  /** Absent: required, or optional without a default. */
  readonly fallback: string | undefined
  readonly required: boolean
  /** Whether texts are taken as they are, and not read as JSON. */
  readonly textual: boolean
  /** Whether its flag takes a value: `none` if it is true or false, `optional` if it is one of these or something else. */
  readonly value: 'none' | 'optional' | 'needed'
  /** Whether the value is a path, to be resolved against what names it. */
  readonly path: boolean
}

export interface Layers {
  /** Parsed JSON of the file and its path, which relative paths are resolved against. */
  readonly file?: { readonly path: string; readonly value: unknown }
  readonly environment: Readonly<Record<string, string | undefined>>
  /** By the key of the field. */
  readonly flags: Readonly<Record<string, string | undefined>>
  /** What relative paths of flags and environment are resolved against. */
  readonly workingDirectory: string
}

/** The configuration breaks a rule. `faults` has one line for each, naming the field and where it came from. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

/** The fields of a configuration, in the order they are declared. */
export function fieldsOf(schema: ConfigSchema): Field[] {
  return Object.entries(schema.shape).map(([key, whole]) => {
    const { inner, fallback, required } = unwrap(whole)
    const words = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return {
      key,
      flag: `--${words}`,
      variable: `ASHLAR_${words.replaceAll('-', '_').toUpperCase()}`,
      description: z.globalRegistry.get(whole)?.description ?? '',
      fallback,
      required,
      textual: inner._zod.def.type === 'string' || inner._zod.def.type === 'enum',
      value: valueOf(inner),
      path: z.globalRegistry.get(inner)?.['path'] === true,
    }
  })
}

/**
 * Puts the layers together and checks the whole.
 * @throws {ConfigError} with every fault at once
 */
export function resolveConfig<S extends ConfigSchema>(schema: S, layers: Layers): z.output<S> {
  const values: Record<string, unknown> = {}
  const sources = new Map<string, string>()
  const { file } = layers
  if (file !== undefined) {
    if (!isObject(file.value)) throw new ConfigError([`${file.path}: expected a JSON object`])
    Object.assign(values, file.value)
    for (const key of Object.keys(file.value)) sources.set(key, file.path)
  }
  for (const field of fieldsOf(schema)) {
    const given = givenText(field, layers)
    if (given !== undefined) {
      values[field.key] = field.textual ? given.text : fromJson(given.text)
      sources.set(field.key, given.source)
    }
    if (!field.path) continue
    const value = values[field.key] ?? field.fallback
    if (typeof value !== 'string' || value === '') continue
    const base =
      given === undefined && file !== undefined ? dirname(resolve(file.path)) : layers.workingDirectory
    values[field.key] = resolve(base, value)
  }
  const result = schema.safeParse(values)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.flatMap((issue) => faultsOf(issue, schema, values, sources)))
}

function givenText({ key, flag, variable }: Field, { flags, environment }: Layers) {
  const byFlag = flags[key]
  if (byFlag !== undefined) return { text: byFlag, source: flag }
  const byVariable = environment[variable]
  return byVariable === undefined ? undefined : { text: byVariable, source: variable }
}

/** Texts that are no JSON stay texts, so that the schema says what it expected in their place. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function faultsOf(
  issue: z.core.$ZodIssue,
  schema: ConfigSchema,
  values: Readonly<Record<string, unknown>>,
  sources: ReadonlyMap<string, string>,
): string[] {
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
    const known = Object.keys(schema.shape).join(', ')
    return issue.keys.map(
      (key) => `${key}: no such field (from ${sources.get(key) ?? '?'}); there are ${known}`,
    )
  }
  const key = String(issue.path[0])
  if (values[key] === undefined) {
    const field = fieldsOf(schema).find((one) => one.key === key)
    // A rule between fields says why this one is needed.
    const why = issue.code === 'custom' ? ` (${issue.message})` : ''
    return [
      `${key}: missing${why}; give ${field?.flag ?? key}, ${field?.variable ?? ''} or "${key}" in the config file`,
    ]
  }
  return [`${issue.path.join('.')}: ${reason(issue)} (from ${sources.get(key) ?? 'the default'})`]
}

function reason(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') {
    return `expected ${issue.expected === 'int' ? 'a whole number' : issue.expected}`
  }
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => inner.message).join('; ')
  return issue.message
}

function valueOf(schema: z.core.$ZodType): Field['value'] {
  if (schema instanceof z.ZodBoolean) return 'none'
  return schema instanceof z.ZodUnion && schema.options.some((one) => one instanceof z.ZodBoolean)
    ? 'optional'
    : 'needed'
}

interface Unwrapped {
  readonly inner: z.core.$ZodType
  readonly fallback: string | undefined
  readonly required: boolean
}

function unwrap(schema: z.core.$ZodType): Unwrapped {
  if (schema instanceof z.ZodDefault) {
    const { defaultValue, innerType } = schema.def
    const fallback = typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue)
    return { inner: unwrap(innerType).inner, fallback, required: false }
  }
  if (schema instanceof z.ZodOptional) return { ...unwrap(schema.def.innerType), required: false }
  return { inner: schema, fallback: undefined, required: true }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
