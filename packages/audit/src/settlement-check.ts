import { periodStart, SIGNER_KIND, type Terms } from '@liquefy/protocol'
import type { FaultBook } from './fault.ts'
import {
  type FoldPoint,
  type FoldPoints,
  lastPoint,
  lateRegistersAt,
  registersAt,
} from './fold-point.ts'
import type { Payment } from './ledger.ts'
import type { MeterHistory } from './meter-history.ts'
import { listText, type Price } from './price.ts'

type Settled = Extract<Payment, { kind: 'settled' }>
type Adjusted = Extract<Payment, { kind: 'adjusted' }>

/** What the ledger did in one period, next to what the evidence supports. */
export interface PeriodMoney {
  period: number
  /** Paid on evidence that the bundle holds. */
  paidMinor: bigint
  /** Paid on later evidence, after the bundle was written. */
  paidAfterMinor: bigint
  /** `min(tariff, cap)` of the highest registers settled on evidence that the bundle holds. */
  provenMinor: bigint
  /** The same from the evidence: what may have been paid at most. */
  supportedMinor: bigint
  settledRegisters: bigint[] | undefined
  /** Proven on top of it by adjustments, for what late evidence added. */
  adjustedMinor: bigint
  /** Of that: what the evidence supports. */
  lateMinor: bigint
  /** What the payee gave back: it stands beside what was paid. */
  refundedMinor: bigint
  /** All payments so far after each event, for a node that had not seen the last ones yet. */
  paidOverTime: { paidMinor: bigint; blockSeconds: number }[]
}

export interface SettlementSetting {
  terms: Terms
  histories: readonly MeterHistory[]
  points: FoldPoints
  price: Price
  /** When the bundle was written, ms since 1970, by the log's own signed word. */
  writtenMs: number
  faults: FaultBook
}

/**
 * `SETTLED_REGISTER_MISMATCH` for each settlement, and `AMOUNT_MISMATCH` for each payment. A settlement whose head the
 * bundle does not hold is a fault unless its block came after the bundle was written.
 */
export async function checkSettlements(
  setting: SettlementSetting,
  payments: readonly Payment[],
): Promise<Map<number, PeriodMoney>> {
  const money = new Map<number, PeriodMoney>()
  for (const period of new Set(payments.map((payment) => payment.period))) {
    const events = payments.filter((payment) => payment.period === period)
    await checkAmounts(setting, period, events)
    money.set(period, await weigh(setting, period, events))
  }
  return money
}

/** Adds up what was paid, and finds what the evidence supports of it. */
async function weigh(
  setting: SettlementSetting,
  period: number,
  events: readonly Payment[],
): Promise<PeriodMoney> {
  const money: PeriodMoney = {
    period,
    paidMinor: 0n,
    paidAfterMinor: 0n,
    provenMinor: 0n,
    supportedMinor: 0n,
    settledRegisters: undefined,
    adjustedMinor: 0n,
    lateMinor: 0n,
    refundedMinor: 0n,
    paidOverTime: [],
  }
  let ranAhead = false
  for (const event of events) {
    if (event.kind === 'short') continue
    if (event.kind === 'refunded') {
      money.refundedMinor += event.amountMinor
      continue
    }
    if (event.kind !== 'collected') {
      const point = setting.points.find(event.evidenceHead)
      ranAhead ||=
        setting.terms.meters.length > 0 &&
        !point &&
        (event.blockSeconds + 1) * 1000 > setting.writtenMs
      if (!ranAhead && event.kind === 'settled') await takeSettlement(setting, money, event, point)
      if (!ranAhead && event.kind === 'adjusted') await takeAdjustment(setting, money, event, point)
    }
    // Once a period has run ahead of the bundle, its later payments cannot be told apart.
    if (ranAhead) money.paidAfterMinor += event.paidMinor
    else money.paidMinor += event.paidMinor
    const paidMinor = money.paidMinor + money.paidAfterMinor
    money.paidOverTime.push({ paidMinor, blockSeconds: event.blockSeconds })
  }
  return money
}

async function takeSettlement(
  setting: SettlementSetting,
  money: PeriodMoney,
  event: Settled,
  point: FoldPoint | undefined,
): Promise<void> {
  const { terms, histories, price, faults } = setting
  if (terms.meters.length === 0) return takeUnmetered(setting, money, event)
  const fold = registersAt(histories, point ?? lastPoint(histories), money.period)
  const same = listText(fold) === listText(event.registers)
  if (!point || !same) {
    faults.add({
      code: 'SETTLED_REGISTER_MISMATCH',
      message: point
        ? 'the registers settled are not those of the fold at the settled evidence head'
        : 'the evidence has no point with the settled evidence head',
      period: money.period,
      expected: point ? listText(fold) : event.evidenceHead,
      found: point ? listText(event.registers) : 'none',
    })
  }
  const proven = await price(event.registers, money.period, event.asOf)
  if (proven >= money.provenMinor) {
    money.provenMinor = proven
    money.settledRegisters = event.registers
  }
  // Without a point, at most what the evidence shows at all can be supported.
  const supported = point
    ? fold
    : fold.map((register, index) => least(register, event.registers[index] ?? 0n))
  const amount = await price(supported, money.period, event.asOf)
  if (amount > money.supportedMinor) money.supportedMinor = amount
}

/** `ADJUSTMENT_MISMATCH`: what late evidence added equals what the fold gives at the head that was signed. */
async function takeAdjustment(
  { terms, histories, price, faults }: SettlementSetting,
  money: PeriodMoney,
  event: Adjusted,
  point: FoldPoint | undefined,
): Promise<void> {
  const { period } = money
  const at = point ?? lastPoint(histories)
  const end = periodStart(terms, period) + BigInt(terms.periodSeconds)
  const inTime = await price(registersAt(histories, at, period), period, end)
  const withLate = await price(lateRegistersAt(histories, at, period), period, end)
  const supported = withLate > inTime ? withLate - inTime : 0n
  money.adjustedMinor += event.amountMinor
  // All adjustments of a period together, since the same late evidence supports an amount only once.
  const late = least(supported, money.adjustedMinor)
  if (late > money.lateMinor) money.lateMinor = late
  if (terms.meters.length === 0 || (point && supported === money.adjustedMinor)) return
  faults.add({
    code: 'ADJUSTMENT_MISMATCH',
    message: point
      ? 'the adjustment is not what the evidence adds at the signed evidence head'
      : 'the evidence has no point with the evidence head of the adjustment',
    period,
    expected: String(supported),
    found: String(money.adjustedMinor),
  })
}

/** Without meters the signer's word, which the ledger checked, or the time elapsed is all the evidence there is. */
async function takeUnmetered(
  { terms, price, faults }: SettlementSetting,
  money: PeriodMoney,
  event: Settled,
): Promise<void> {
  if (terms.signerKind === SIGNER_KIND.nobody && event.asOf > BigInt(event.blockSeconds)) {
    faults.add({
      code: 'SETTLED_REGISTER_MISMATCH',
      message: 'time was settled that had not passed',
      period: money.period,
      expected: `until ${event.blockSeconds}`,
      found: String(event.asOf),
    })
  }
  const amount = await price(event.registers, money.period, event.asOf)
  if (amount >= money.provenMinor) {
    money.provenMinor = amount
    money.settledRegisters = event.registers
  }
  if (amount > money.supportedMinor) money.supportedMinor = amount
}

/** The most that a period can have cost: the tariff at the registers' limits, if it can say it, within the cap. */
async function mostOf(terms: Terms, price: Price, period: number): Promise<bigint> {
  const seconds = BigInt(terms.periodSeconds)
  const registers = terms.limits.map(({ burst, perHour }) => {
    const grown = saturated(perHour * seconds) / SECONDS_PER_HOUR
    return saturated(burst + grown)
  })
  const amount = await price(registers, period, periodStart(terms, period) + seconds)
  return amount > 0n ? amount : terms.capMinor
}

const SECONDS_PER_HOUR = 3_600n
const UINT256_MOST = 2n ** 256n - 1n

function saturated(value: bigint): bigint {
  return value < UINT256_MOST ? value : UINT256_MOST
}

/** Replays what the clearing house must have done: pay what is missing, as far as escrow goes, and say so where it does not. */
async function checkAmounts(
  { terms, price, faults }: SettlementSetting,
  period: number,
  events: readonly Payment[],
): Promise<void> {
  const most = await mostOf(terms, price, period)
  let adjusted = 0n
  let paid = 0n
  let proven = 0n
  let unsaid = 0n
  const fault = (expected: bigint, found: bigint, message: string) =>
    faults.add({
      code: 'AMOUNT_MISMATCH',
      message,
      period,
      expected: String(expected),
      found: String(found),
    })
  for (const event of events) {
    if (event.kind === 'refunded') continue
    if (event.kind === 'short') {
      if (event.missingMinor !== unsaid) {
        fault(unsaid, event.missingMinor, 'the escrow was said to be short by another amount')
      }
      unsaid = 0n
      continue
    }
    if (unsaid !== 0n) {
      return fault(
        paid + unsaid,
        paid,
        'the ledger paid less than the tariff gives for the registers settled',
      )
    }
    let due = proven
    if (event.kind === 'settled') {
      due = await price(event.registers, period, event.asOf)
      if (adjusted > 0n && due + adjusted > most) due = most
      else due += adjusted
      if (due > proven) proven = due
    } else if (event.kind === 'adjusted') {
      adjusted = event.amountMinor
      proven += adjusted
      due = proven
      if (proven > most) fault(most, proven, 'an adjustment went beyond what the period could cost')
    }
    const missing = due > paid ? due - paid : 0n
    paid += event.paidMinor
    if (event.paidMinor > missing) {
      return fault(
        paid - event.paidMinor + missing,
        paid,
        'the ledger paid more than the tariff gives for the registers settled',
      )
    }
    unsaid = missing - event.paidMinor
  }
  if (unsaid !== 0n) {
    fault(
      paid + unsaid,
      paid,
      'the ledger paid less than the tariff gives for the registers settled',
    )
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
