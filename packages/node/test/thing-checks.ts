import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ThingDescription } from '@liquefy/client'
import { parseTD } from '@node-wot/td-tools'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { sharedVectors } from './shared-vectors.ts'

const V1 = { const: 'https://www.w3.org/2019/wot/td/v1' }
const V11 = { const: 'https://www.w3.org/2022/wot/td/v1.1' }
const others = { additionalItems: { type: ['string', 'object'] } }
/** What version 1.1 says of `@context`: its own address first, or behind that of version 1.0. */
const CONTEXT = {
  anyOf: [
    V11,
    { type: 'array', items: [V11], minItems: 1, ...others },
    { type: 'array', items: [V1, V11], minItems: 2, ...others },
  ],
}

const folder = sharedVectors('wot-td')
const validator = folder === undefined ? undefined : compile(folder)

/** What stands against a Thing Description: by the schema of W3C, and by a reader that nobody here wrote. */
export function problemsOf(thing: unknown): string[] {
  const text = JSON.stringify(thing)
  const found: string[] = []
  if (validator && !validator(JSON.parse(text))) {
    found.push(
      ...(validator.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`),
    )
  }
  try {
    parseTD(text)
  } catch (error) {
    found.push(String(error))
  }
  return found
}

/** Descriptions that W3C calls right, and wrong; undefined where they are not at hand. */
export function readTdVectors():
  | { validTDs: ThingDescription[]; invalidTDs: unknown[] }
  | undefined {
  if (folder === undefined) return undefined
  return JSON.parse(readFileSync(join(folder, 'thing-descriptions.json'), 'utf8')) as never
}

/**
 * The schema as W3C keeps it, but for the rule of `@context`: the draft of the next version stands there, which takes its own experimental address only and
 * so refuses every description of version 1.1, those of its own vectors too.
 */
function compile(from: string): ValidateFunction {
  const path = join(from, 'validation', 'td-json-schema-validation.json')
  const schema = JSON.parse(readFileSync(path, 'utf8')) as { definitions: Record<string, object> }
  schema.definitions['thing-context'] = CONTEXT
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  return ajv.compile(schema)
}
