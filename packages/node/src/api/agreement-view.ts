import type {
  Agreement,
  AgreementSummary,
  Band,
  Hex,
  PartyMachine,
  PeriodView,
  SettlementView,
} from '@liquefy/client'
import {
  type AmountBand,
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
  type PeriodMoney,
  readMoney,
  readPeriodMoney,
  readPositionOwners,
} from '../store/agreements.ts'
import { readArchivedAhead } from '../store/archives.ts'
import { readPartyMachines } from '../store/machine-accounts.ts'
import { readProblem, readSent, readSigned } from '../store/meter-values.ts'
import { type OwedRow, readOwed, readOwedAmounts, readOwedTotals } from '../store/metering.ts'
import { readMachineNames } from '../store/overview.ts'
import { ALL_PERIODS, newestPeriods, type PeriodSpan } from '../store/periods.ts'
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
  const [money, owed, names, owners, machines] = await Promise.all([
    readMoney(db, context.block().final),
    readOwedTotals(db),
    readMachineNames(db),
    readPositionOwners(db),
    readPartyMachines(db),
  ])
  return context.agreements
    .all()
    .map((agreement) =>
      summaryOf(
        agreement,
        names.get(agreement.machineId),
        money.get(agreement.agreementId) ?? noMoney(),
        owed.get(agreement.agreementId) ?? 0n,
        owners.get(agreement.agreementId),
        machines,
      ),
    )
}

function summaryOf(
  { agreementId, machineId, payer, payee, open }: MeteredAgreement,
  name: string | undefined,
  money: AgreementMoney,
  owedMinor: bigint,
  owner: Hex | undefined,
  machines: ReadonlyMap<Hex, PartyMachine>,
): AgreementSummary {
  return {
    agreementId,
    machineId: String(machineId),
    machineName: name ?? (machineId === 0n ? 'no machine' : String(machineId)),
    payer,
    payee,
    payerMachine: machines.get(payer) ?? null,
    payeeMachine: machines.get(payee) ?? null,
    open,
    owedMinor: String(owedMinor),
    includedMinor: String(money.paidMinor),
    finalMinor: String(money.paidFinalMinor),
    escrowMinor: String(money.escrowMinor),
    position: { owner: owner ?? payee, accruedMinor: String(money.accruedMinor) },
  }
}

/** One agreement with its newest periods. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function agreementView(context: ApiContext, agreementId: Hex): Promise<Agreement> {
  const shown = await newestPeriods(context.database.pool, agreementId, PERIODS_SHOWN)
  const view = await viewOf(context, agreementId, shown)
  return { ...view, periods: view.periods.slice(-PERIODS_SHOWN) }
}

/** One agreement with all its periods. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function wholeAgreementView(
  context: ApiContext,
  agreementId: Hex,
): Promise<Agreement> {
  return viewOf(context, agreementId, ALL_PERIODS)
}

/** One agreement with some of its periods; its sums are of all. */
async function viewOf(
  context: ApiContext,
  agreementId: Hex,
  shown: PeriodSpan,
): Promise<Agreement> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const { final } = context.block()
  const earlier = { from: ALL_PERIODS.from, before: shown.from }
  const [
    moneyById,
    before,
    owed,
    names,
    signed,
    sent,
    settlements,
    owners,
    machines,
    skipped,
    ahead,
  ] = await Promise.all([
    readMoney(db, final, [agreementId]),
    readOwedAmounts(db, agreementId, earlier),
    readOwed(db, agreementId, shown),
    readMachineNames(db),
    readSigned(db, agreementId, shown),
    readSent(db, agreementId, shown),
    readSettlements(db, agreementId, SETTLEMENTS_SHOWN),
    readPositionOwners(db),
    readPartyMachines(db, [agreement.payer, agreement.payee]),
    readProblem(db, agreementId),
    agreement.open ? readArchivedAhead(db, agreementId) : undefined,
  ])
  const money = moneyById.get(agreementId) ?? noMoney()
  const moneyByPeriod = agreement.terms ? [...money.periods] : []
  const moved = moneyByPeriod.map(([, of]) => of)
  const moneyShown = new Map(moneyByPeriod.filter(([period]) => period >= shown.from))
  const amounts = [...before, ...owed]
  const owedMinor = sumOf(amounts, (row) => row.owedMinor)
  const owedBy = new Map(amounts.map((row) => [row.period, row.owedMinor]))
  const metered = new Set(agreement.terms ? [...owedBy.keys(), ...money.periods.keys()] : [])
  const rules = agreement.rules.filter((rule): rule is MeterRule => rule !== undefined)
  const units = agreement.rules.map((rule) => rule?.registerUnit ?? '')
  return {
    ...summaryOf(
      agreement,
      names.get(agreement.machineId),
      money,
      owedMinor,
      owners.get(agreementId),
      machines,
    ),
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
    costMinor: String(
      sumOf([...metered], (period) =>
        costOf(owedBy.get(period) ?? 0n, money.periods.get(period) ?? NOTHING_PAID),
      ),
    ),
    adjustedMinor: String(sumOf(moved, ({ adjustedMinor }) => adjustedMinor)),
    refundedMinor: String(sumOf(moved, ({ givenBackMinor }) => givenBackMinor)),
    arrearsMinor: String(sumOf(moved, arrearsOf)),
    periodCount: metered.size,
    periods: periodsOf(agreement, moneyShown, owed, { signed, sent }),
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

function sumOf<T>(all: readonly T[], pick: (one: T) => bigint): bigint {
  return all.reduce((sum, one) => sum + pick(one), 0n)
}

/** Periods of an agreement before `before`, the newest first. @throws ProblemError 404 `AGREEMENT_UNKNOWN`. */
export async function periodList(
  context: ApiContext,
  agreementId: Hex,
  { before, limit }: { before?: number; limit: number },
): Promise<PeriodView[]> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const span = await newestPeriods(db, agreementId, limit, before)
  const [money, owed, signed, sent] = await Promise.all([
    readPeriodMoney(db, context.block().final, agreementId, span),
    readOwed(db, agreementId, span),
    readSigned(db, agreementId, span),
    readSent(db, agreementId, span),
  ])
  return periodsOf(agreement, money, owed, { signed, sent }).slice(-limit).reverse()
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

function archiveProblem(file: string | null | undefined): string | undefined {
  if (file === undefined) return undefined
  if (file === null)
    return 'It begins before envelopes that were erased: nothing meters them again.'
  return `It begins before envelopes that were archived to ${file}; the operator puts them back: liquefy archive restore.`
}

function moneyProblem({ deployment }: ApiContext, money: AgreementMoney): string | undefined {
  const arrears = sumOf([...money.periods.values()], arrearsOf)
  if (arrears === 0n) return undefined
  const { symbol, decimals } = deployment.asset
  return `Escrow is short by ${formatDecimal(arrears, decimals, { grouping: true })} ${symbol}; fund the agreement.`
}

function periodsOf(
  { terms }: MeteredAgreement,
  money: ReadonlyMap<number, PeriodMoney>,
  owed: readonly OwedRow[],
  { signed, sent }: Record<'signed' | 'sent', ReadonlyMap<number, bigint>>,
): PeriodView[] {
  if (!terms) return []
  const rows = new Map(owed.map((row) => [row.period, row]))
  const periods = [...new Set([...rows.keys(), ...money.keys()])].sort((a, b) => a - b)
  return periods.map((period) => {
    const row = rows.get(period)
    const onLedger = money.get(period) ?? NOTHING_PAID
    const { startMs, endMs } = periodTimes(terms, period)
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
      includedMinor: String(onLedger.paidMinor),
      finalMinor: String(onLedger.paidFinalMinor),
      arrearsMinor: String(arrearsOf(onLedger)),
      adjustedMinor: String(onLedger.adjustedMinor),
      refundedMinor: String(onLedger.givenBackMinor),
      heads: row?.heads ?? [],
      band: row?.band ? bandView(row.band) : null,
    }
  })
}

function bandView({ lowerMinor, upperMinor, uncertaintyPpm }: AmountBand): Band {
  return { lowerMinor: String(lowerMinor), upperMinor: String(upperMinor), uncertaintyPpm }
}

/** When a period begins and ends, ms since 1970. */
export function periodTimes(
  { start, periodSeconds }: Terms,
  period: number,
): { startMs: number; endMs: number } {
  const startMs = (Number(start) + period * periodSeconds) * 1000
  return { startMs, endMs: startMs + periodSeconds * 1000 }
}

function arrearsOf({ provenMinor, paidMinor }: PeriodMoney): bigint {
  return provenMinor > paidMinor ? provenMinor - paidMinor : 0n
}
