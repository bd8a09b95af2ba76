import type { Agreement, AgreementSummary, Hex, PeriodView, SettlementView } from '@liquefy/client'
import {
  explainRule,
  explainSigner,
  explainTariff,
  formatDecimal,
  type MeterRule,
  SIGNER_KIND,
  type Terms,
  tariffUnits,
  termsToJson,
} from '@liquefy/protocol'
import {
  type AgreementMoney,
  NOTHING_PAID,
  noMoney,
  readMoney,
  readPositionOwners,
} from '../store/agreements.ts'
import { readArchivedAhead } from '../store/archives.ts'
import { readProblem, readSent, readSigned } from '../store/meter-values.ts'
import { type OwedRow, readOwed } from '../store/metering.ts'
import { readMachineNames } from '../store/overview.ts'
import { type LedgerPlace, readSettlements, type Settlement } from '../store/settlements.ts'
import type { MeteredAgreement } from '../transact/agreements.ts'
import { costOf } from '../transact/cost.ts'
import type { ApiContext } from './context.ts'
import { unknown } from './problem.ts'

const SETTLEMENTS_SHOWN = 200
/** Of the newest periods; those before them stand on pages of their own. */
const PERIODS_SHOWN = 100

/** All agreements, the oldest first. */
export async function agreementList(context: ApiContext): Promise<AgreementSummary[]> {
  const db = context.database.pool
  const [money, owed, names, owners] = await Promise.all([
    readMoney(db, context.block().final),
    readOwed(db),
    readMachineNames(db),
    readPositionOwners(db),
  ])
  const owedById = Map.groupBy(owed, ({ agreementId }) => agreementId)
  return context.agreements
    .all()
    .map((agreement) =>
      summaryOf(
        agreement,
        names.get(agreement.machineId),
        money.get(agreement.agreementId) ?? noMoney(),
        owedById.get(agreement.agreementId) ?? [],
        owners.get(agreement.agreementId),
      ),
    )
}

function summaryOf(
  { agreementId, machineId, payer, payee, open }: MeteredAgreement,
  name: string | undefined,
  money: AgreementMoney,
  owed: readonly OwedRow[],
  owner: Hex | undefined,
): AgreementSummary {
  return {
    agreementId,
    machineId: String(machineId),
    machineName: name ?? (machineId === 0n ? 'no machine' : String(machineId)),
    payer,
    payee,
    open,
    owedMinor: String(owed.reduce((sum, row) => sum + row.owedMinor, 0n)),
    includedMinor: String(money.paidMinor),
    finalMinor: String(money.paidFinalMinor),
    escrowMinor: String(money.escrowMinor),
    position: { owner: owner ?? payee, accruedMinor: String(money.accruedMinor) },
  }
}

/** One agreement with its newest periods. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function agreementView(context: ApiContext, agreementId: Hex): Promise<Agreement> {
  const whole = await wholeAgreementView(context, agreementId)
  return { ...whole, periods: whole.periods.slice(-PERIODS_SHOWN) }
}

/** One agreement with all its periods. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function wholeAgreementView(
  context: ApiContext,
  agreementId: Hex,
): Promise<Agreement> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const { final } = context.block()
  const [moneyById, owed, names, signed, sent, settlements, owners, skipped, ahead] =
    await Promise.all([
      readMoney(db, final, [agreementId]),
      readOwed(db, agreementId),
      readMachineNames(db),
      readSigned(db, agreementId),
      readSent(db, agreementId),
      readSettlements(db, agreementId, SETTLEMENTS_SHOWN),
      readPositionOwners(db),
      readProblem(db, agreementId),
      agreement.open ? readArchivedAhead(db, agreementId) : undefined,
    ])
  const money = moneyById.get(agreementId) ?? noMoney()
  const periods = periodsOf(agreement, money, owed, { signed, sent })
  const rules = agreement.rules.filter((rule): rule is MeterRule => rule !== undefined)
  const units = agreement.rules.map((rule) => rule?.registerUnit ?? '')
  return {
    ...summaryOf(agreement, names.get(agreement.machineId), money, owed, owners.get(agreementId)),
    problem:
      agreement.problem ?? archiveProblem(ahead) ?? moneyProblem(context, money) ?? skipped ?? null,
    terms: agreement.terms ? termsToJson(agreement.terms) : agreement.termsJson,
    rules,
    tariffInWords:
      agreement.tariff && agreement.terms
        ? explainTariff(agreement.tariff, {
            units: tariffUnits(agreement.terms, agreement.rules),
            asset: context.deployment.asset,
          })
        : 'A tariff contract that this node does not know.',
    rulesInWords: rules.map(explainRule),
    registerUnits: units,
    metersSignedBy: metersSignedBy(context, agreement),
    costMinor: sumOf(periods, ({ costMinor }) => costMinor),
    adjustedMinor: sumOf(periods, ({ adjustedMinor }) => adjustedMinor),
    refundedMinor: sumOf(periods, ({ refundedMinor }) => refundedMinor),
    arrearsMinor: sumOf(periods, ({ arrearsMinor }) => arrearsMinor),
    periodCount: periods.length,
    periods,
    ...linksOf(context, agreement),
    settlements: settlements.map((one) => settlementView(one, final)),
  }
}

/** @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export function knownAgreement({ agreements }: ApiContext, agreementId: Hex): MeteredAgreement {
  const agreement = agreements.get(agreementId)
  if (!agreement) throw unknown('AGREEMENT_UNKNOWN', `Agreement ${agreementId}`)
  return agreement
}

function sumOf(periods: readonly PeriodView[], pick: (period: PeriodView) => string): string {
  return String(periods.reduce((sum, period) => sum + BigInt(pick(period)), 0n))
}

/** Periods of an agreement before `before`, the newest first. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function periodList(
  context: ApiContext,
  agreementId: Hex,
  { before, limit }: { before?: number; limit: number },
): Promise<PeriodView[]> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const [money, owed, signed, sent] = await Promise.all([
    readMoney(db, context.block().final, [agreementId]),
    readOwed(db, agreementId),
    readSigned(db, agreementId),
    readSent(db, agreementId),
  ])
  return periodsOf(agreement, money.get(agreementId) ?? noMoney(), owed, { signed, sent })
    .filter(({ period }) => before === undefined || period < before)
    .slice(-limit)
    .reverse()
}

/** Settlements of an agreement before a place on the ledger, the newest first. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function settlementList(
  context: ApiContext,
  agreementId: Hex,
  { before, limit }: { before?: LedgerPlace | undefined; limit: number },
): Promise<SettlementView[]> {
  knownAgreement(context, agreementId)
  const settlements = await readSettlements(context.database.pool, agreementId, limit, { before })
  return settlements.map((one) => settlementView(one, context.block().final))
}

/** One settlement as lists show it. */
export function settlementView(one: Settlement, finalBlock: number): SettlementView {
  return {
    place: `${one.block}-${one.logIndex}`,
    kind: one.kind,
    period: one.period,
    asOf: String(one.asOf),
    registers: one.registers,
    paidMinor: String(one.paidMinor),
    txHash: one.txHash,
    block: one.block,
    final: one.block <= finalBlock,
    atMs: one.atMs,
  }
}

/** Agreements are linked by `salt`: an SLA penalty bears the id of what it belongs to. */
function linksOf(
  { agreements }: ApiContext,
  { agreementId, terms }: MeteredAgreement,
): Pick<Agreement, 'linkedTo' | 'linkedFrom'> {
  const salt = terms?.salt.toLowerCase() as Hex | undefined
  return {
    linkedTo: salt !== undefined && agreements.get(salt) ? salt : null,
    linkedFrom: agreements
      .all()
      .filter((other) => other.terms?.salt.toLowerCase() === agreementId)
      .map((other) => other.agreementId),
  }
}

/** Who signs the meter values, in words. */
export function metersSignedBy(
  { agreements }: ApiContext,
  { terms }: Pick<MeteredAgreement, 'terms'>,
): string {
  if (!terms) return 'somebody whom this node does not know'
  const signer = terms.signerKind === SIGNER_KIND.machine ? BigInt(terms.signer) : undefined
  return explainSigner(terms, signer === undefined ? undefined : agreements.controllerOf(signer))
}

function archiveProblem(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  return `It begins before envelopes that were archived to ${file}; the operator puts them back: liquefy archive restore.`
}

function moneyProblem({ deployment }: ApiContext, money: AgreementMoney): string | undefined {
  const arrears = [...money.periods.values()].reduce(
    (sum, { provenMinor, paidMinor }) => sum + larger(provenMinor - paidMinor, 0n),
    0n,
  )
  if (arrears === 0n) return undefined
  const { symbol, decimals } = deployment.asset
  return `Escrow is short by ${formatDecimal(arrears, decimals, { grouping: true })} ${symbol}; fund the agreement.`
}

function periodsOf(
  { terms }: MeteredAgreement,
  money: AgreementMoney,
  owed: readonly OwedRow[],
  { signed, sent }: Record<'signed' | 'sent', ReadonlyMap<number, bigint>>,
): PeriodView[] {
  if (!terms) return []
  const rows = new Map(owed.map((row) => [row.period, row]))
  const periods = [...new Set([...rows.keys(), ...money.periods.keys()])].sort((a, b) => a - b)
  return periods.map((period) => {
    const row = rows.get(period)
    const onLedger = money.periods.get(period) ?? NOTHING_PAID
    const { startMs, endMs } = periodTimes(terms, period)
    const paid = onLedger.paidMinor
    return {
      period,
      startMs,
      endMs,
      asOf: String(row?.asOf ?? startMs / 1000),
      registers: row?.registers.map(String) ?? terms.meters.map(() => '0'),
      owedMinor: String(row?.owedMinor ?? 0n),
      costMinor: String(costOf(row?.owedMinor ?? 0n, onLedger)),
      signedMinor: String(signed.get(period) ?? 0n),
      sentMinor: String(sent.get(period) ?? 0n),
      includedMinor: String(paid),
      finalMinor: String(onLedger.paidFinalMinor),
      arrearsMinor: String(larger(onLedger.provenMinor - paid, 0n)),
      adjustedMinor: String(onLedger.adjustedMinor),
      refundedMinor: String(onLedger.givenBackMinor),
      heads: row?.heads ?? [],
    }
  })
}

/** When a period begins and ends, ms since 1970. */
export function periodTimes(
  { start, periodSeconds }: Terms,
  period: number,
): { startMs: number; endMs: number } {
  const startMs = (Number(start) + period * periodSeconds) * 1000
  return { startMs, endMs: startMs + periodSeconds * 1000 }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
