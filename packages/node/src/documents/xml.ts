/** One element: text, or elements in their order. */
export interface XmlElement {
  name: string
  attributes: Readonly<Record<string, string>>
  content: string | readonly XmlElement[]
}

/** An element; what is undefined in it is left out. Names are ours, never a person's. */
export function element(
  name: string,
  content: string | readonly (XmlElement | undefined)[],
  attributes: Readonly<Record<string, string>> = {},
): XmlElement {
  return {
    name,
    attributes,
    content:
      typeof content === 'string'
        ? content
        : content.filter((child): child is XmlElement => child !== undefined),
  }
}

/** The document as text, in UTF-8, indented. */
export function writeXml(root: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${linesOf(root, '').join('\n')}\n`
}

function linesOf({ name, attributes, content }: XmlElement, indent: string): string[] {
  const said = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`)
  const open = `${indent}<${name}${said.join('')}`
  if (content.length === 0) return [`${open}/>`]
  if (typeof content === 'string') return [`${open}>${escapeXml(content)}</${name}>`]
  const inner = content.flatMap((child) => linesOf(child, `${indent}  `))
  return [`${open}>`, ...inner, `${indent}</${name}>`]
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}
// XML 1.0, "Char": everything else may stand in no document, escaped or not.
const FORBIDDEN = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

function escapeXml(text: string): string {
  return text
    .replace(FORBIDDEN, '\u{fffd}')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
}
