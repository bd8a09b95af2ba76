import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ThingDescription } from '@liquefy/client'
import { parseTD } from '@node-wot/td-tools'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { vectorsFolder } from '../../protocol/test/trust/shared-vectors.ts'

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

const folder = vectorsFolder('wot-td')
const validator =
  folder === undefined ? undefined : compile(folder, 'td-json-schema-validation.json')

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

/** Thing Models that W3C calls right, and wrong, each with what its schema says; undefined where they are not at hand. We make none: it is the schema that is checked. */
export function judgedModels(): { right: boolean[]; wrong: boolean[] } | undefined {
  if (folder === undefined) return undefined
  const validate = compile(folder, 'tm-json-schema-validation.json')
  const models = JSON.parse(readFileSync(join(folder, 'thing-models.json'), 'utf8')) as {
    validTMs: unknown[]
    invalidTMs: unknown[]
  }
  const judged = (list: unknown[]) => list.map((model) => validate(model))
  return { right: judged(models.validTMs), wrong: judged(models.invalidTMs) }
}

/**
 * The schema as W3C keeps it, but for the rule of `@context`: the draft of the next version stands there, which takes its own experimental address only and
 * so refuses every description of version 1.1, those of its own vectors too.
 */
function compile(from: string, name: string): ValidateFunction {
  const path = join(from, 'validation', name)
  const schema = JSON.parse(readFileSync(path, 'utf8')) as { definitions: Record<string, object> }
  schema.definitions['thing-context'] = CONTEXT
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  return ajv.compile(schema)
}
