/**
 * Smithy's static schemas, as `@aws-sdk/client-s3` exports them, read into a plain tree of shapes.
 *
 * A static schema is an array whose first item says its kind (`@smithy/types`, `schema/static-schemas.d.ts`):
 *   [0, namespace, name, traits, ref]                          simple
 *   [1, namespace, name, traits, value]                        list
 *   [2, namespace, name, traits, key, value]                   map
 *   [3 | 4 | -3, namespace, name, traits, names, refs, n?]     structure, union, error; the first n members are required
 *   [9, namespace, name, traits, input, output]                operation
 * A reference is such an array, a function that returns one, a number (a simple type, plus 64 for a list and 128
 * for a map of it), `"unit"`, or a pair [reference, traits] at a member. Traits are an object or a bit vector.
 */

/** What the compiler knows of a member, an element or a structure; Smithy's trait names. */
export interface Traits {
  readonly httpLabel?: number
  readonly idempotencyToken?: number
  readonly httpPayload?: number
  readonly httpHeader?: string
  readonly httpPrefixHeaders?: string
  readonly httpQuery?: string
  readonly http?: readonly [method: string, uri: string, status: number]
  readonly streaming?: number
  readonly xmlName?: string
  readonly xmlFlattened?: number
  readonly xmlAttribute?: number
  /** Prefix (or the empty string) and URI. */
  readonly xmlNamespace?: readonly [prefix: string, uri: string]
}

export type TimestampFormat = 'date-time' | 'http-date' | 'epoch-seconds'

export type Shape =
  | { readonly kind: 'unit' | 'string' | 'integer' | 'boolean' | 'blob' | 'stream' }
  /** No format: the place decides (http-date in headers, date-time elsewhere). */
  | { readonly kind: 'timestamp'; readonly format: TimestampFormat | undefined }
  | { readonly kind: 'list'; readonly item: Target }
  | { readonly kind: 'map' }
  | StructureShape

export interface StructureShape {
  readonly kind: 'structure' | 'union'
  readonly name: string
  readonly traits: Traits
  /** In AWS's order, which is the order of elements on the wire. A getter: structures may be recursive. */
  readonly members: readonly Member[]
}

/** A shape as it is referred to: its own traits overlaid by those of the reference. */
export interface Target {
  readonly shape: Shape
  readonly traits: Traits
}

export interface Member extends Target {
  readonly name: string
  readonly required: boolean
}

export interface OperationShape {
  readonly name: string
  readonly method: string
  /** Path and literal query, e.g. `/{Key+}?uploads`. */
  readonly uri: string
  readonly status: number
  readonly input: StructureShape
  readonly output: StructureShape
}

const unitStructure: StructureShape = { kind: 'structure', name: 'Unit', traits: {}, members: [] }
const structures = new WeakMap<readonly unknown[], StructureShape>()

/** Reads one operation schema, such as the export `PutObject$`. Throws when the package's format is not the one above. */
export function readOperation(schema: unknown): OperationShape {
  const array = asArray(schema)
  const traits = readTraits(array[3])
  if (array[0] !== 9 || !traits.http) throw new Error('not an operation schema with an http trait')
  const [method, uri, status] = traits.http
  return {
    name: asString(array[2]),
    method,
    uri,
    status,
    input: asStructure(readTarget(array[4]).shape),
    output: asStructure(readTarget(array[5]).shape),
  }
}

/** True for the exports of the client that are operation schemas. */
export function isOperationSchema(value: unknown): boolean {
  return Array.isArray(value) && value[0] === 9
}

function readTarget(reference: unknown): Target {
  let current = reference
  const overlays: Traits[] = []
  for (;;) {
    if (typeof current === 'function') {
      current = Reflect.apply(current, undefined, [])
    } else if (Array.isArray(current) && current.length === 2) {
      overlays.push(readTraits(current[1]))
      current = current[0]
    } else if (Array.isArray(current) && current[0] === 0) {
      overlays.push(readTraits(current[3]))
      current = current[4]
    } else {
      break
    }
  }
  const { shape, own } = readShape(current)
  return { shape, traits: overlays.reduceRight<Traits>((under, over) => ({ ...under, ...over }), own) }
}

function readShape(schema: unknown): { shape: Shape; own: Traits } {
  if (schema === 'unit') return { shape: unitStructure, own: {} }
  if (typeof schema === 'number') return { shape: readNumber(schema), own: {} }
  const array = asArray(schema)
  const own = readTraits(array[3])
  switch (array[0]) {
    case 1:
      return { shape: { kind: 'list', item: readTarget(array[4]) }, own }
    case 2:
      return { shape: { kind: 'map' }, own }
    case 3:
    case 4:
    case -3:
      return { shape: readStructure(array), own }
    default:
      throw new Error(`unknown kind of schema: ${String(array[0])}`)
  }
}

function readNumber(code: number): Shape {
  if (code >= 128) return { kind: 'map' }
  if (code >= 64) return { kind: 'list', item: { shape: readNumber(code - 64), traits: {} } }
  switch (code) {
    case 0:
      return { kind: 'string' }
    case 1:
      return { kind: 'integer' }
    case 2:
      return { kind: 'boolean' }
    case 4:
      return { kind: 'timestamp', format: undefined }
    case 5:
      return { kind: 'timestamp', format: 'date-time' }
    case 6:
      return { kind: 'timestamp', format: 'http-date' }
    case 7:
      return { kind: 'timestamp', format: 'epoch-seconds' }
    case 21:
      return { kind: 'blob' }
    case 42:
      return { kind: 'stream' }
    default:
      throw new Error(`unknown simple schema: ${code}`)
  }
}

function readStructure(array: readonly unknown[]): StructureShape {
  const known = structures.get(array)
  if (known) return known
  const names = asArray(array[4])
  const references = asArray(array[5])
  const required = typeof array[6] === 'number' ? array[6] : 0
  let members: readonly Member[] | undefined
  const structure: StructureShape = {
    kind: array[0] === 4 ? 'union' : 'structure',
    name: asString(array[2]),
    traits: readTraits(array[3]),
    get members() {
      members ??= names.map((name, i) => ({
        ...readTarget(references[i]),
        name: asString(name),
        required: i < required,
      }))
      return members
    },
  }
  structures.set(array, structure)
  return structure
}

/** Bits of the vector form, from the lowest (`@smithy/types`, TraitBitVector). */
const traitBits = [
  'httpLabel',
  'idempotent',
  'idempotencyToken',
  'sensitive',
  'httpPayload',
  'httpResponseCode',
  'httpQueryParams',
]

function readTraits(value: unknown): Traits {
  if (typeof value === 'object' && value !== null) return value
  if (typeof value !== 'number') return {}
  return Object.fromEntries(traitBits.flatMap((name, bit) => ((value >> bit) & 1 ? [[name, 1]] : [])))
}

function asArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('schema: expected an array')
  return value
}

function asString(value: unknown): string {
  if (typeof value !== 'string') throw new Error('schema: expected a string')
  return value
}

function asStructure(shape: Shape): StructureShape {
  if (shape.kind !== 'structure' && shape.kind !== 'union') throw new Error('schema: expected a structure')
  return shape
}
