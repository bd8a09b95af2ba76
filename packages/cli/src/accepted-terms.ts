import { readFileSync, writeFileSync } from 'node:fs'
import { type MeterRule, parseRule, parseTerms, type Terms, termsToJson } from '@liquefy/protocol'
import { type Hex, isHex } from 'viem'
import { CliError } from './failure.ts'

/** Terms that their payee has signed, with the rules that they name, on their way to the payer. */
export interface AcceptedTerms {
  terms: Terms
  rules: MeterRule[]
  payeeSignature: Hex
}

export function writeAccepted(path: string, { terms, rules, payeeSignature }: AcceptedTerms): void {
  const json = { terms: termsToJson(terms), rules, payeeSignature }
  writeFileSync(path, `${JSON.stringify(json, null, 2)}\n`)
}

/** Undefined if the file is an offer that nobody has signed yet. @throws CliError `OFFER_INVALID`. */
export function readAccepted(path: string): AcceptedTerms | undefined {
  const json = jsonOf(path)
  if (json.payeeSignature === undefined) return undefined
  const invalid = (message: string) => new CliError('OFFER_INVALID', `${path}: ${message}`)
  const parsed = parseTerms(json.terms)
  if (!parsed.ok) throw invalid(parsed.message)
  if (!Array.isArray(json.rules) || !isHex(json.payeeSignature)) {
    throw invalid(
      '"rules" must be a list and "payeeSignature" hex: `liquefy machine accept` writes both.',
    )
  }
  const rules = json.rules.map((rule) => {
    const read = parseRule(rule)
    if (!read.ok) throw invalid(read.message)
    return read.rule
  })
  return { terms: parsed.terms, rules, payeeSignature: json.payeeSignature }
}

function jsonOf(path: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  } catch (cause) {
    throw new CliError('OFFER_INVALID', `${path} cannot be read as JSON.`, { cause })
  }
}
