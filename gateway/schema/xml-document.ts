/**
 * XML documents of requests, read by saxes behind hard limits into a small tree: no doctype, no entities but XML's
 * own five, no other encoding than UTF-8, bounded bytes, depth and nodes. Whatever is wrong is `MalformedXML`.
 */
import { SaxesParser } from 'saxes'
import { S3Error } from '../errors/s3-error.ts'

export interface XmlLimits {
  /** Elements within elements, the root counted as 1. */
  readonly depthMax: number
  /** Elements and attributes in all. */
  readonly nodesMax: number
  readonly bytesMax: number
}

export interface XmlElement {
  /** Local name: prefixes and namespaces of elements are not compared, as S3 does not insist on its own. */
  readonly name: string
  /** By the name as written, prefix included, such as `xsi:type`; `xmlns` declarations left out. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** All character data directly inside, in order. */
  readonly text: string
}

interface OpenElement {
  name: string
  attributes: Map<string, string>
  children: OpenElement[]
  text: string
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Reads a whole document. Throws `MalformedXML`, or `XMLSizeLimitExceeded` when it has more bytes than allowed. */
export function readXmlDocument(bytes: Uint8Array, limits: XmlLimits): XmlElement {
  if (bytes.byteLength > limits.bytesMax) throw new S3Error('XMLSizeLimitExceeded')
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw malformedXml()
  }
  return new TreeBuilder(limits).read(text)
}

export function malformedXml(): S3Error {
  return new S3Error('MalformedXML')
}

class TreeBuilder {
  readonly #limits: XmlLimits
  readonly #open: OpenElement[] = []
  #root: OpenElement | undefined
  #nodes = 0

  constructor(limits: XmlLimits) {
    this.#limits = limits
  }

  read(text: string): XmlElement {
    const parser = new SaxesParser({ xmlns: true })
    parser.on('error', refuse)
    parser.on('doctype', refuse)
    parser.on('xmldecl', ({ encoding }) => {
      if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') refuse()
    })
    // Attributes are counted as they come: one tag may hold megabytes of them.
    parser.on('attribute', () => this.#count())
    parser.on('opentag', ({ local, attributes }) => {
      this.#count()
      if (this.#open.length >= this.#limits.depthMax) refuse()
      const element: OpenElement = { name: local, attributes: new Map(), children: [], text: '' }
      for (const attribute of Object.values(attributes)) {
        if (attribute.prefix !== 'xmlns' && attribute.name !== 'xmlns') {
          element.attributes.set(attribute.name, attribute.value)
        }
      }
      const parent = this.#open.at(-1)
      if (parent) parent.children.push(element)
      else this.#root = element
      this.#open.push(element)
    })
    parser.on('closetag', () => void this.#open.pop())
    parser.on('text', (characters) => this.#append(characters))
    parser.on('cdata', (characters) => this.#append(characters))
    parser.write(text).close()
    return this.#root ?? refuse()
  }

  #append(characters: string): void {
    const element = this.#open.at(-1)
    if (element) element.text += characters
  }

  #count(): void {
    this.#nodes += 1
    if (this.#nodes > this.#limits.nodesMax) refuse()
  }
}

function refuse(): never {
  throw malformedXml()
}
