import {
  agreementId,
  canonicalJson,
  type MeterRule,
  parseRule,
  parseTerms,
  ruleHash,
  type Terms,
  termsToJson,
} from '@liquefy/protocol'
import type { Hex } from 'viem'
import type { FaultBook } from './fault.ts'
import type { LedgerReader } from './ledger.ts'
import type { HeaderLine } from './line.ts'

/** Addresses that whoever audits trusts already; what is left out is taken from the bundle and only reported. */
export interface ExpectedDeployment {
  chainId?: number
  registry?: Hex
  clearingHouse?: Hex
  evidenceAnchor?: Hex
  log?: Hex
}

/** Terms that the ledger knows, and the rule of each meter in their order. */
export interface CheckedTerms {
  terms: Terms
  rules: MeterRule[]
}

/**
 * `TERMS_MISMATCH`: the terms have the agreement's id as their hash, the ledger opened exactly that agreement, and each
 * meter's rule has the hash that the terms name.
 */
export async function checkTerms(
  header: HeaderLine,
  expected: ExpectedDeployment & { agreementId?: Hex },
  ledger: LedgerReader,
  faults: FaultBook,
): Promise<CheckedTerms | undefined> {
  const fault = (message: string, expectedValue?: string, found?: string): undefined => {
    faults.add({
      code: 'TERMS_MISMATCH',
      line: 1,
      message,
      ...(expectedValue === undefined ? {} : { expected: expectedValue }),
      ...(found === undefined ? {} : { found }),
    })
  }
  for (const name of ['chainId', 'registry', 'clearingHouse', 'agreementId'] as const) {
    const wanted = expected[name]
    if (wanted === undefined) continue
    if (String(wanted).toLowerCase() !== String(header[name])) {
      return fault(`the bundle is of another ${name}`, String(wanted), String(header[name]))
    }
  }
  const chainId = await ledger.chainId(header.registry)
  if (chainId !== header.chainId) {
    return fault('the RPC serves another ledger', String(header.chainId), String(chainId))
  }
  const terms = readTerms(header.terms)
  if (!terms) return fault('the terms cannot be read')
  const id = agreementId({ chainId, clearingHouse: header.clearingHouse, terms })
  if (id !== header.agreementId) {
    return fault('the hash of the terms is not the agreement id', header.agreementId, id)
  }
  const opening = await ledger.opening(header.clearingHouse, id)
  if (!opening) return fault('the clearing house never opened this agreement', id)
  const registry = await ledger.registryOf(header.clearingHouse)
  if (registry.toLowerCase() !== header.registry) {
    return fault('the clearing house resolves machines elsewhere', registry, header.registry)
  }
  const rules = rulesOf(terms, header.rules)
  if (typeof rules === 'string') return fault(rules)
  return { terms, rules }
}

function readTerms(json: unknown): Terms | undefined {
  const parsed = parseTerms(json)
  if (!parsed.ok) return undefined
  // What reads the same but is written otherwise was not written by a node. Case of addresses is checked by the line's reader.
  const again = canonicalJson(termsToJson(parsed.terms)).toLowerCase()
  return again === canonicalJson(json).toLowerCase() ? parsed.terms : undefined
}

function rulesOf(terms: Terms, descriptions: unknown[]): MeterRule[] | string {
  const byHash = new Map<Hex, MeterRule>()
  for (const description of descriptions) {
    const parsed = parseRule(description)
    if (!parsed.ok) return `a rule cannot be read: ${parsed.message}`
    byHash.set(ruleHash(parsed.rule), parsed.rule)
  }
  const rules: MeterRule[] = []
  for (const meter of terms.meters) {
    const rule = byHash.get(meter.ruleHash)
    if (!rule) return `no rule has the hash ${meter.ruleHash} that meter "${meter.stream}" names`
    rules.push(rule)
  }
  const named = new Set(terms.meters.map((meter) => meter.ruleHash))
  for (const hash of byHash.keys()) {
    if (!named.has(hash)) return `no meter names the rule with the hash ${hash}`
  }
  return rules
}
