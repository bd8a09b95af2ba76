import { randomBytes } from 'node:crypto'
import {
  accountSigner,
  checkTariffUnits,
  encodeTariffData,
  type Hex,
  isValidTariff,
  type MeterRule,
  machineSigner,
  NO_MAXIMUM,
  NOBODY_SIGNER,
  parseRule,
  parseTerms,
  parseUnsigned,
  quorumSigner,
  ruleHash,
  SIGNER_KIND,
  type Tariff,
  type Terms,
  tariffContract,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { bytesToHex, isAddress, isHex } from 'viem'
import type { KnownContracts } from './data-folder.ts'
import { CliError } from './failure.ts'
import { DAY_SECONDS, DEFAULTS, type Offer, parseOffer } from './offer-file.ts'

export interface ReadOffer {
  terms: Terms
  rules: MeterRule[]
  fundMinor: bigint
}

/** Turns an offer into terms. `addressOf` knows people by name. @throws CliError `OFFER_INVALID`. */
export function readOffer(
  path: string,
  contracts: KnownContracts,
  addressOf: (name: string) => Hex,
  nowSeconds: number,
): ReadOffer {
  const offer = parseOffer(path)
  const invalid = (message: string) => new CliError('OFFER_INVALID', `${path}: ${message}`)
  const party = (name: string) => (isAddress(name, { strict: false }) ? name : addressOf(name))
  const amount = (name: string, text: unknown): bigint => {
    const parsed = parseUnsigned(text)
    if (parsed === undefined) throw invalid(`${name} must be a whole number as text, like "1000".`)
    return parsed
  }
  const rules = offer.meters.map(({ rule, stream }) => {
    const parsed = parseRule(rule)
    if (!parsed.ok) throw invalid(`rule of ${stream}: ${parsed.message}`)
    return parsed.rule
  })
  const tariff = tariffOf(offer, amount)
  const limits = offer.meters.length > 0 ? offer.meters.map(({ limit }) => limit) : offer.limits
  if (!isValidTariff(tariff, limits?.length ?? 0)) {
    throw invalid(
      'the tariff needs one price a register if linear or a plan; one register, rising "upTo" and one price more than that if tiered; a scale from 0 to 77 (60 for a plan); and of a plan a minimum that is not above its maximum.',
    )
  }
  const metered = offer.meters.map(({ stream }, index) => ({
    stream,
    rule: rules[index] as MeterRule,
  }))
  const mismatch = checkTariffUnits(metered, offer.tariff.units)
  if (mismatch !== undefined) throw new CliError('UNIT_MISMATCH', `${path}: ${mismatch}`)
  const machineId = amount('machineId', offer.machineId)
  const parsed = parseTerms({
    payer: party(offer.payer),
    payee: party(offer.payee),
    asset: contracts.asset.address,
    machineId: machineId.toString(),
    meters: offer.meters.map(({ stream, startHead }, index) => ({
      stream,
      ruleHash: ruleHash(rules[index] as MeterRule),
      startHead: startHead ?? ZERO_DIGEST,
    })),
    ...signerOf(offer, machineId, party, amount),
    tariff: tariffContract(contracts, offer.tariff.kind),
    tariffData: encodeTariffData(tariff),
    limits: limits ?? [],
    capMinor: offer.capMinor,
    start: offer.start ?? String(nowSeconds),
    ...Object.fromEntries(
      Object.entries(DEFAULTS).map(([name, value]) => [
        name,
        offer[name as keyof typeof DEFAULTS] ?? value,
      ]),
    ),
    shared: offer.shared ?? false,
    openBy: String(nowSeconds + DAY_SECONDS),
    salt: offer.linkedTo ?? bytesToHex(randomBytes(32)),
  })
  if (!parsed.ok) throw invalid(parsed.message)
  return { terms: parsed.terms, rules, fundMinor: amount('fundMinor', offer.fundMinor ?? '0') }
}

function tariffOf(offer: Offer, amount: (name: string, text: unknown) => bigint): Tariff {
  const { kind, scale } = offer.tariff
  const prices = offer.tariff.prices.map((price) => amount('tariff.prices', price))
  if (kind === 'linear') return { kind, prices, scale }
  if (kind === 'plan') {
    const { fee = '0', feeSeconds = 1, minimum = '0', maximum } = offer.tariff
    return {
      kind,
      prices,
      scale,
      fee: amount('tariff.fee', fee),
      feeSeconds,
      minimum: amount('tariff.minimum', minimum),
      maximum: maximum === undefined ? NO_MAXIMUM : amount('tariff.maximum', maximum),
    }
  }
  return {
    kind,
    upTo: (offer.tariff.upTo ?? []).map((border) => amount('tariff.upTo', border)),
    prices,
    scale,
  }
}

function signerOf(
  { signer }: Offer,
  machineId: bigint,
  party: (name: string) => Hex,
  amount: (name: string, text: unknown) => bigint,
): { signerKind: number; signer: Hex } {
  if (signer === undefined) {
    return { signerKind: SIGNER_KIND.machine, signer: machineSigner(machineId) }
  }
  if (signer === 'nobody') return { signerKind: SIGNER_KIND.nobody, signer: NOBODY_SIGNER }
  if ('machine' in signer) {
    const id = amount('signer.machine', signer.machine)
    return { signerKind: SIGNER_KIND.machine, signer: machineSigner(id) }
  }
  if ('account' in signer) {
    return { signerKind: SIGNER_KIND.account, signer: accountSigner(party(signer.account)) }
  }
  const signers = signer.signers.map((one) => (isHex(one) ? one : party(one)))
  return { signerKind: SIGNER_KIND.quorum, signer: quorumSigner({ ...signer, signers }) }
}
