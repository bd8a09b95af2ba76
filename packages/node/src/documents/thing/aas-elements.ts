import type { AasElement } from '@liquefy/client'

/** A reference to what something means, or to another element. */
export interface AasReference {
  type: 'ExternalReference' | 'ModelReference'
  keys: { type: string; value: string }[]
}

/** What an element means: its id in a dictionary, and ids of the same in others. */
export interface Meaning {
  id: string
  others?: readonly string[]
}

/** A meaning that stands outside: IEC CDD, ECLASS, a template of IDTA. */
export function external(id: string): AasReference {
  return { type: 'ExternalReference', keys: [{ type: 'GlobalReference', value: id }] }
}

/** One value. Left out of it is what is not known. */
export function property(
  idShort: string,
  meaning: Meaning,
  valueType: string,
  value?: string,
): AasElement {
  return {
    modelType: 'Property',
    idShort,
    ...meant(meaning),
    valueType,
    ...(value === undefined ? {} : { value: xmlText(value) }),
  }
}

/** Words, in English. */
export function words(idShort: string, meaning: Meaning, text?: string): AasElement {
  return {
    modelType: 'MultiLanguageProperty',
    idShort,
    ...meant(meaning),
    ...(text === undefined ? {} : { value: english(text) }),
  }
}

/** Elements under one name. Without any the collection says that it is there and nothing is known of it. */
export function collection(
  idShort: string,
  meaning: Meaning,
  value: readonly AasElement[],
): AasElement {
  return {
    modelType: 'SubmodelElementCollection',
    idShort,
    ...meant(meaning),
    ...(value.length === 0 ? {} : { value }),
  }
}

/** A text as the metamodel holds it in a language. */
export function english(text: string): { language: 'en'; text: string }[] {
  return [{ language: 'en', text: xmlText(text) }]
}

/** A text without the characters that XML cannot hold: the metamodel forbids them in JSON too. */
export function xmlText(text: string): string {
  return text.replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '\u{fffd}')
}

/** A name that the metamodel takes: letters, digits and underscores. */
export function idShortOf(text: string): string {
  return text.replace(/[^A-Za-z0-9_]/g, '_')
}

function meant({ id, others }: Meaning) {
  return {
    semanticId: external(id),
    ...(others === undefined ? {} : { supplementalSemanticIds: others.map(external) }),
  }
}
