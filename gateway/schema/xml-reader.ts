/**
 * Compiles shapes into readers of XML elements. Reading is strict, so that nothing is accepted and ignored: an unknown
 * or repeated element, stray text, a missing required member or a value that does not fit its type is `MalformedXML`.
 */
import { enumerationOf } from './enumerations.ts'
import type { Member, Shape, StructureShape, Target, Traits } from './model.ts'
import { parseBoolean, parseInteger, parseTimestamp } from './values.ts'
import { malformedXml, type XmlElement } from './xml-document.ts'

export type XmlReader = (element: XmlElement) => unknown

const compiled = new WeakMap<StructureShape, XmlReader>()

/** A reader of `target` from the element that holds it. */
export function compileXmlReader(target: Target, place = ''): XmlReader {
  const { shape } = target
  switch (shape.kind) {
    case 'structure':
    case 'union':
      return compileStructure(shape)
    case 'list':
      return compileList(shape.item, place)
    default: {
      const read = compileText(shape, place)
      return (element) => {
        if (element.children.length > 0) throw malformedXml()
        return read(element.text)
      }
    }
  }
}

/** Required lists that may be left out for an empty one (recorded by LocalStack's `test_put_object_tagging_none_value`). */
const emptyWhenAbsent: ReadonlySet<string> = new Set(['Tagging.TagSet'])

/** Where a member is looked for: as an attribute, as repeated elements, or as one element. */
interface Slot {
  readonly member: Member
  readonly flattened: boolean
  readonly read: XmlReader
}

function compileStructure(shape: StructureShape): XmlReader {
  const known = compiled.get(shape)
  if (known) return known
  let slots: Map<string, Slot> | undefined
  let attributes: { name: string; member: Member; read: (text: string) => unknown }[] = []
  // Members are compiled at the first use of the closure below, since a structure may contain itself.
  const prepare = (): Map<string, Slot> => {
    const elements = shape.members.filter((member) => isInBody(member.traits) && !member.traits.xmlAttribute)
    attributes = shape.members
      .filter(({ traits }) => traits.xmlAttribute)
      .map((member) => ({
        name: member.traits.xmlName ?? member.name,
        member,
        read: compileText(member.shape, `${shape.name}.${member.name}`),
      }))
    return new Map(elements.map((member) => [member.traits.xmlName ?? member.name, slotOf(shape, member)]))
  }
  const required = (): readonly Member[] =>
    shape.members.filter((member) => member.required && isInBody(member.traits))
  let requiredMembers: readonly Member[] | undefined
  const reader: XmlReader = (element) => {
    slots ??= prepare()
    requiredMembers ??= required()
    const value: Record<string, unknown> = {}
    for (const { name, member, read } of attributes) {
      const text = element.attributes.get(name)
      if (text !== undefined) value[member.name] = read(text)
    }
    for (const child of element.children) readInto(value, slots.get(child.name), child)
    if (hasInk(element.text)) throw malformedXml()
    for (const { name } of requiredMembers) {
      if (value[name] !== undefined) continue
      if (!emptyWhenAbsent.has(`${shape.name}.${name}`)) throw malformedXml()
      value[name] = []
    }
    if (shape.kind === 'union' && Object.keys(value).length !== 1) throw malformedXml()
    return value
  }
  compiled.set(shape, reader)
  return reader
}

function slotOf(shape: StructureShape, member: Member): Slot {
  const place = `${shape.name}.${member.name}`
  if (member.shape.kind === 'list' && member.traits.xmlFlattened) {
    return { member, flattened: true, read: compileXmlReader(member.shape.item, place) }
  }
  return { member, flattened: false, read: compileXmlReader(member, place) }
}

function readInto(value: Record<string, unknown>, slot: Slot | undefined, child: XmlElement): void {
  if (!slot) throw malformedXml()
  const { name } = slot.member
  const before = value[name]
  if (slot.flattened) {
    const item = slot.read(child)
    if (Array.isArray(before)) before.push(item)
    else value[name] = [item]
  } else {
    if (before !== undefined) throw malformedXml()
    value[name] = slot.read(child)
  }
}

function compileList(item: Target, place: string): XmlReader {
  const itemName = item.traits.xmlName ?? 'member'
  const read = compileXmlReader(item, place)
  return (element) => {
    if (hasInk(element.text)) throw malformedXml()
    return element.children.map((child) => {
      if (child.name !== itemName) throw malformedXml()
      return read(child)
    })
  }
}

function compileText(shape: Shape, place: string): (text: string) => unknown {
  switch (shape.kind) {
    case 'string': {
      const allowed = enumerationOf(place)
      if (!allowed) return (text) => text
      return (text) => (allowed.has(text) ? text : malformed())
    }
    case 'integer':
      return (text) => parseInteger(text.trim()) ?? malformed()
    case 'boolean':
      return (text) => parseBoolean(text.trim()) ?? malformed()
    case 'timestamp': {
      const format = shape.format ?? 'date-time'
      return (text) => parseTimestamp(text.trim(), format) ?? malformed()
    }
    case 'blob':
      return (text) => Buffer.from(text, 'base64')
    default:
      throw new Error(`${place}: a ${shape.kind} cannot stand in XML text`)
  }
}

/** True for members that HTTP does not carry elsewhere. */
export function isInBody(traits: Traits): boolean {
  return (
    !traits.httpLabel &&
    !traits.httpPayload &&
    traits.httpHeader === undefined &&
    traits.httpQuery === undefined &&
    traits.httpPrefixHeaders === undefined
  )
}

const hasInk = (text: string): boolean => /[^ \t\r\n]/.test(text)

function malformed(): never {
  throw malformedXml()
}
