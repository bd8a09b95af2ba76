import type { Agreement, Deployment, LogHead, PeriodView } from '@liquefy/client'
import { formatDecimal, type TariffUnit } from '@liquefy/protocol'
import type { Settlement } from '../store/settlements.ts'

/** What a statement is made from. `wantedPeriod`: of this one alone. */
export interface StatementInput {
  agreement: Agreement
  /** In the order of the registers. */
  units: readonly TariffUnit[]
  deployment: Deployment
  head: Pick<LogHead, 'size' | 'root' | 'anchored'>
  wantedPeriod: number | undefined
  nowMs: number
}

/** Amounts that stand beside each other in a statement, each an exact decimal of the asset. */
export type StatementAmounts = Record<
  'owed' | 'included' | 'final' | 'arrears' | 'adjusted' | 'refunded',
  string
>

/** One settlement as a statement tells it. */
export interface SettlementLine {
  what: string
  period: number
  atMs: number
  amount: string
  txHash: string
  block: number
  isFinal: boolean
}

/** All that a statement says besides its settlements, whatever it is written as. Amounts and quantities are exact decimals without grouping. */
export interface StatementContent {
  agreementId: string
  period: number | undefined
  writtenMs: number
  symbol: string
  /** Who, what, on which terms, under which contracts, in words. */
  about: { what: string; value: string }[]
  /** Names of the registers with their units: "level (kg)". */
  registers: string[]
  totals: StatementAmounts
  periods: (StatementAmounts & {
    period: number
    fromMs: number
    toMs: number
    asOfMs: number
    registers: string[]
    /** What the calibration of the meters leaves open of what is owed; undefined where none must be calibrated. */
    band: { lower: string; upper: string; uncertaintyPpm: number } | undefined
    /** Up to which envelope of each stream: "level 812". */
    evidence: string[]
  })[]
  /** How anybody checks all of it. */
  check: string
}

const KIND_WORDS: Record<Settlement['kind'], string> = {
  settled: 'settled',
  collected: 'arrears collected',
  adjusted: 'adjusted for late evidence',
  refunded: 'refunded to the payer',
}

/** What is owed and paid under an agreement, or in one period of it. */
export function statementOf(input: StatementInput): StatementContent {
  const { agreement, units, deployment, wantedPeriod, nowMs } = input
  const { asset } = deployment
  const amount = (minor: string | bigint) => formatDecimal(BigInt(minor), asset.decimals)
  const periods = agreement.periods.filter(
    ({ period }) => wantedPeriod === undefined || period === wantedPeriod,
  )
  const sumOf = (pick: (period: PeriodView) => string) =>
    amount(periods.reduce((sum, period) => sum + BigInt(pick(period)), 0n))
  return {
    agreementId: agreement.agreementId,
    period: wantedPeriod,
    writtenMs: nowMs,
    symbol: asset.symbol,
    about: aboutOf(input),
    registers: distinct(
      units.map(({ unit }, index) => `${registerName(agreement, index)} (${unit})`),
    ),
    totals: {
      owed: sumOf(({ owedMinor }) => owedMinor),
      included: sumOf(({ includedMinor }) => includedMinor),
      final: sumOf(({ finalMinor }) => finalMinor),
      arrears: sumOf(({ arrearsMinor }) => arrearsMinor),
      adjusted: sumOf(({ adjustedMinor }) => adjustedMinor),
      refunded: sumOf(({ refundedMinor }) => refundedMinor),
    },
    periods: periods.map((period) => ({
      period: period.period,
      fromMs: period.startMs,
      toMs: period.endMs,
      asOfMs: Number(period.asOf) * 1000,
      registers: units.map((unit, index) => quantityOf(period.registers[index] ?? '0', unit)),
      band: period.band
        ? {
            lower: amount(period.band.lowerMinor),
            upper: amount(period.band.upperMinor),
            uncertaintyPpm: period.band.uncertaintyPpm,
          }
        : undefined,
      owed: amount(period.owedMinor),
      included: amount(period.includedMinor),
      final: amount(period.finalMinor),
      arrears: amount(period.arrearsMinor),
      adjusted: amount(period.adjustedMinor),
      refunded: amount(period.refundedMinor),
      evidence: period.heads.map(({ stream, seq }) => `${stream} ${seq}`),
    })),
    check: `npx liquefy audit ${agreement.agreementId}`,
  }
}

/** @param finalBlock blocks up to this one stay. */
export function settlementLine(
  { kind, period, atMs, paidMinor, txHash, block }: Settlement,
  { deployment, finalBlock }: Pick<StatementInput, 'deployment'> & { finalBlock: number },
): SettlementLine {
  return {
    what: KIND_WORDS[kind],
    period,
    atMs,
    amount: formatDecimal(paidMinor, deployment.asset.decimals),
    txHash,
    block,
    isFinal: block <= finalBlock,
  }
}

/** Meters may count one stream twice: then their place tells them apart. */
function distinct(names: readonly string[]): string[] {
  return names.map((name, index) =>
    names.indexOf(name) === names.lastIndexOf(name) ? name : `${index + 1}: ${name}`,
  )
}

/** What a register counts, by the stream that it is metered from. */
export function registerName({ terms }: Pick<Agreement, 'terms'>, index: number): string {
  const { meters } = (terms ?? {}) as { meters?: { stream?: unknown }[] }
  const stream = meters?.[index]?.stream
  return typeof stream === 'string' ? stream : `register ${index + 1}`
}

/** A register as a decimal of the unit that its price is quoted in. */
export function quantityOf(register: string, { per }: TariffUnit): string {
  return formatDecimal(BigInt(register), String(per).length - 1)
}

/** The account of a person on the ledger, as CAIP-10 writes it. */
export function accountId({ chainId }: Pick<Deployment, 'chainId'>, address: string): string {
  return `eip155:${chainId}:${address}`
}

function aboutOf({ agreement, deployment, head }: StatementInput): StatementContent['about'] {
  const party = (address: string) => {
    const name = deployment.people.find(
      (person) => person.address.toLowerCase() === address.toLowerCase(),
    )?.name
    return name === undefined ? address : `${name}, ${address}`
  }
  const owner = agreement.position.owner
  const anchored = head.anchored
  return [
    { what: 'Agreement', value: agreement.agreementId },
    { what: 'Payer', value: party(agreement.payer) },
    { what: 'Payee', value: party(agreement.payee) },
    ...(owner.toLowerCase() === agreement.payee.toLowerCase()
      ? []
      : [{ what: 'What it earns belongs to', value: party(owner) }]),
    { what: 'Machine', value: machineWords(agreement) },
    { what: 'State', value: agreement.open ? 'open' : 'closed' },
    { what: 'Price', value: agreement.tariffInWords },
    ...[...new Set(agreement.rulesInWords)].map((value) => ({ what: 'Metered', value })),
    { what: 'Meter values signed by', value: agreement.metersSignedBy },
    { what: 'Ledger', value: `chain eip155:${deployment.chainId}` },
    { what: 'Clearing house', value: deployment.clearingHouse },
    { what: 'Registry of machines', value: deployment.registry },
    { what: 'Evidence anchored at', value: deployment.evidenceAnchor },
    { what: 'Asset', value: `${deployment.asset.symbol}, ${deployment.asset.address}` },
    { what: 'Evidence log', value: `${head.size} envelopes, root ${head.root}` },
    {
      what: 'Anchored on the ledger',
      value: anchored
        ? `${anchored.size} envelopes, root ${anchored.root}, transaction ${anchored.txHash}`
        : 'nothing yet',
    },
  ]
}

function machineWords({ machineId, machineName }: Agreement): string {
  if (machineId === '0') return 'none'
  return machineName === machineId ? machineId : `${machineName} (${machineId})`
}
