/** Compiles shapes into writers of XML, in AWS's element order. */
import type { Member, Shape, StructureShape, Target } from './model.ts'
import { formatTimestamp, isRecord, textOf } from './values.ts'
import { isInBody } from './xml-reader.ts'

/** The namespace of every S3 document but errors. */
export const S3_XMLNS = 'http://s3.amazonaws.com/doc/2006-03-01/'

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

/** Writes what stands inside the element that holds `value`. */
type ContentWriter = (value: unknown) => string
/** Writes `value` as elements of its own. */
type ElementWriter = (value: unknown) => string

/**
 * Under this key a structure may say in which order the items of several flattened lists stand, which no schema can: the
 * names of the members, one for each item. S3 mixes versions and delete markers so.
 */
export const ITEM_ORDER = Symbol('order of items')

const compiled = new WeakMap<StructureShape, (value: unknown) => StructureText>()

interface StructureText {
  readonly attributes: string
  readonly content: string
}

/** A writer of a whole document with `name` as its root; the structure's members in HTTP bindings are left out. */
export function compileXmlWriter(shape: StructureShape, name: string): (value: unknown) => string {
  const write = compileStructure(shape)
  return (value) => {
    const { attributes, content } = write(value)
    return `${XML_DECLARATION}<${name} xmlns="${S3_XMLNS}"${attributes}>${content}</${name}>`
  }
}

const markup = /[&<>"\r\u0000-\u0008\u000b\u000c\u000e-\u001f\u0085\u2028\ufffe\uffff]/g
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/**
 * Escapes text and attribute values. Control characters, which XML 1.0 cannot carry, become character references as S3
 * writes them; clients that must read such keys ask for `encoding-type=url`.
 */
export function escapeXml(text: string): string {
  return text.replace(markup, (c) => escapes[c] ?? `&#x${c.charCodeAt(0).toString(16)};`)
}

function compileStructure(shape: StructureShape): (value: unknown) => StructureText {
  const known = compiled.get(shape)
  if (known) return known
  let elements: CompiledMember[] | undefined
  let attributes: { name: string; attribute: string; write: ContentWriter }[] = []
  const prepare = (): CompiledMember[] => {
    const inBody = shape.members.filter(({ traits }) => isInBody(traits))
    attributes = inBody
      .filter(({ traits }) => traits.xmlAttribute)
      .map((member) => ({
        name: member.name,
        attribute: member.traits.xmlName ?? member.name,
        write: compileText(member.shape),
      }))
    return inBody
      .filter(({ traits }) => !traits.xmlAttribute)
      .map((member) => ({ name: member.name, ...compileMember(member) }))
  }
  const writer = (value: unknown): StructureText => {
    elements ??= prepare()
    const fields = asRecord(value, shape.name)
    let attributeText = ''
    for (const { name, attribute, write } of attributes) {
      const field = fields[name]
      if (field !== undefined && field !== null) attributeText += ` ${attribute}="${write(field)}"`
    }
    const order: unknown = Reflect.get(fields, ITEM_ORDER)
    const mixed = Array.isArray(order) ? writeMixed(order, elements, fields) : undefined
    let content = ''
    for (const { name, write } of elements) {
      const field = fields[name]
      if (field === undefined || field === null) continue
      if (mixed?.names.has(name)) content += mixed.take()
      else content += write(field)
    }
    return { attributes: attributeText, content }
  }
  compiled.set(shape, writer)
  return writer
}

interface CompiledMember {
  readonly name: string
  readonly write: ElementWriter
  /** Of a flattened list: writes one item. */
  readonly item?: ElementWriter
}

function compileMember(member: Member): Omit<CompiledMember, 'name'> {
  const name = member.traits.xmlName ?? member.name
  if (member.shape.kind !== 'list') return { write: compileElement(member, name) }
  const { item } = member.shape
  if (member.traits.xmlFlattened) {
    const write = compileElement(item, name)
    return { write: (value) => asArray(value, name).map(write).join(''), item: write }
  }
  const write = compileElement(item, item.traits.xmlName ?? 'member')
  return { write: (value) => `<${name}>${asArray(value, name).map(write).join('')}</${name}>` }
}

/** The items of the lists that `order` names, mixed; they stand where the first of the lists would. */
function writeMixed(
  order: readonly unknown[],
  elements: readonly CompiledMember[],
  fields: Readonly<Record<string, unknown>>,
): { names: ReadonlySet<unknown>; take: () => string } {
  const lists = new Map<unknown, { items: Iterator<unknown>; item: ElementWriter }>()
  for (const { name, item } of elements) {
    if (item !== undefined) lists.set(name, { items: asArray(fields[name] ?? [], name).values(), item })
  }
  let text = ''
  for (const name of order) {
    const list = lists.get(name)
    const next = list?.items.next()
    if (list === undefined || next === undefined || next.done === true) {
      throw new TypeError(`${String(name)}: no item is left`)
    }
    text += list.item(next.value)
  }
  for (const name of new Set(order)) {
    if (lists.get(name)?.items.next().done !== true) throw new TypeError(`${String(name)}: items are left`)
  }
  const take = (): string => {
    const taken = text
    text = ''
    return taken
  }
  return { names: new Set(order), take }
}

function compileElement(target: Target, name: string): ElementWriter {
  const { shape, traits } = target
  if (shape.kind === 'structure' || shape.kind === 'union') {
    const write = compileStructure(shape)
    const [prefix, uri] = traits.xmlNamespace ?? []
    const xmlns = uri === undefined ? '' : ` xmlns${prefix ? `:${prefix}` : ''}="${uri}"`
    return (value) => {
      const { attributes, content } = write(value)
      return `<${name}${xmlns}${attributes}>${content}</${name}>`
    }
  }
  const write = compileText(shape)
  return (value) => `<${name}>${write(value)}</${name}>`
}

function compileText(shape: Shape): ContentWriter {
  switch (shape.kind) {
    case 'string':
    case 'integer':
    case 'boolean':
      return (value) => escapeXml(textOf(value))
    case 'timestamp': {
      const format = shape.format ?? 'date-time'
      return (value) => {
        if (!(value instanceof Date)) throw new TypeError('expected a Date')
        return formatTimestamp(value, format)
      }
    }
    case 'blob':
      return (value) => {
        if (!(value instanceof Uint8Array)) throw new TypeError('expected bytes')
        return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
      }
    default:
      throw new Error(`a ${shape.kind} cannot be written as XML text`)
  }
}

function asRecord(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw new TypeError(`${name}: expected an object`)
  return value
}

function asArray(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${name}: expected an array`)
  return value
}
