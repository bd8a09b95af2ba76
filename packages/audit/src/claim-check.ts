import { periodStart, SIGNER_KIND, type Terms } from '@liquefy/protocol'
import type { FaultBook } from './fault.ts'
import { headAt, lastPoint, pointOf, registersAt } from './fold-point.ts'
import type { ClaimLine, MeterValueLine } from './line.ts'
import type { MeterHistory } from './meter-history.ts'
import { latestAsOf, listText, type Price } from './price.ts'
import type { PeriodMoney } from './settlement-check.ts'
import type { StreamEvidence } from './stream-evidence.ts'

/** A node may be this far behind the ledger and its own log when it writes a bundle. */
const LAG_MS = 60_000

interface Setting {
  terms: Terms
  histories: readonly MeterHistory[]
  writtenMs: number
  /** When the bundle was written, or the agreement closed before. */
  endMs: number
  faults: FaultBook
}

/** `REGISTER_MISMATCH`: what the node claims, and what the meter signed, equal the fold at the heads that they name. */
export function checkRegisters(
  setting: Setting,
  claims: readonly ClaimLine[],
  values: readonly MeterValueLine[],
): void {
  if (setting.terms.meters.length === 0) {
    for (const claim of claims) checkUnmetered(setting, claim, values)
    return
  }
  for (const claim of claims) compare(setting, claim, 'the node claims')
  for (const value of values.filter(({ heads }) => !reachesBeyondCut(setting.histories, heads))) {
    compare(setting, value, 'the meter signed')
    const head = headAt(setting.histories, pointOf(setting.histories, value.heads))
    if (head !== value.evidenceHead) {
      setting.faults.add({
        code: 'REGISTER_MISMATCH',
        message: 'the evidence head that the meter signed is not that of the heads named with it',
        period: value.period,
        expected: head ?? 'none',
        found: value.evidenceHead,
      })
    }
  }
}

/** What a revocation has cut off was signed for by the key that it took away: such a value pays nothing, and is no fault unless it was paid. */
function reachesBeyondCut(
  histories: readonly MeterHistory[],
  heads: readonly { stream: string; seq: bigint }[],
): boolean {
  return heads.some(({ stream, seq }) =>
    histories.some(
      ({ stream: own, cutFrom }) => own === stream && cutFrom !== undefined && seq >= cutFrom,
    ),
  )
}

/** Without meters there is no evidence but the signer's word: the node may claim only what was signed, or what needs no signature. */
function checkUnmetered(
  { terms, faults }: Setting,
  claim: ClaimLine,
  values: readonly MeterValueLine[],
): void {
  const isSigned = values.some(
    ({ period, asOf, registers }) =>
      period === claim.period &&
      asOf === claim.asOf &&
      listText(registers) === listText(claim.registers),
  )
  if (isSigned || terms.signerKind === SIGNER_KIND.nobody) return
  faults.add({
    code: 'REGISTER_MISMATCH',
    message: 'the node claims registers that no value in the bundle is signed for',
    period: claim.period,
    found: listText(claim.registers),
  })
}

/** `REGISTER_MISMATCH` at the first envelope of which the node says that a meter made something else. */
export function checkMetered(
  { terms, histories, faults }: Setting,
  streams: readonly StreamEvidence[],
): void {
  for (const { stream, metered } of streams) {
    for (const { seq, digest, claims } of metered) {
      for (const { meter, code, registers } of claims) {
        const step =
          terms.meters[meter]?.stream === stream ? histories[meter]?.stepOf(digest) : undefined
        const expected = step ? stepText(step.code, Object.entries(step.registers)) : 'nothing'
        const found = stepText(code, [...registers])
        if (expected === found) continue
        faults.add({
          code: 'REGISTER_MISMATCH',
          message: 'the node metered this envelope otherwise than the evidence gives',
          stream,
          seq: String(seq),
          ...(registers.size === 1 ? { period: [...registers.keys()][0] ?? 0 } : {}),
          expected,
          found,
        })
      }
    }
  }
}

function stepText(code: string, registers: [number | string, bigint][]): string {
  return [code, ...registers.map(([period, register]) => `period ${period}: ${register}`)].join(
    ', ',
  )
}

function compare(
  { histories, faults }: Setting,
  stated: { period: number; registers: readonly bigint[]; heads: ClaimLine['heads'] },
  who: string,
): void {
  const fold = registersAt(histories, pointOf(histories, stated.heads), stated.period)
  if (
    fold.length === stated.registers.length &&
    fold.every((register, index) => register === stated.registers[index])
  ) {
    return
  }
  faults.add({
    code: 'REGISTER_MISMATCH',
    message: `the registers that ${who} are not those that the evidence gives`,
    period: stated.period,
    expected: listText(fold),
    found: listText(stated.registers),
  })
}

/** `AMOUNT_MISMATCH` of what the node says was settled, `OWED_MISMATCH` of what it says is owed. */
export async function checkClaimedMoney(
  setting: Setting,
  claims: readonly ClaimLine[],
  money: ReadonlyMap<number, PeriodMoney>,
  price: Price,
): Promise<void> {
  const { terms, faults, writtenMs } = setting
  for (const claim of claims) {
    checkClaimedPayment(setting, claim, money.get(claim.period))
    const asOf = claim.asOf ?? latestAsOf(terms, claim.period, writtenMs)
    const owed = await price(claim.registers, claim.period, asOf)
    if (owed !== claim.owedMinor) {
      faults.add({
        code: 'OWED_MISMATCH',
        message: 'the node claims another amount than the tariff gives for its own registers',
        period: claim.period,
        expected: String(owed),
        found: String(claim.owedMinor),
      })
    }
  }
  checkAllClaimed(setting, claims)
  await checkTimeClaimed(setting, claims, price)
}

/** The same of time: what nobody signs is owed for each period that has begun, at the latest a minute later. */
async function checkTimeClaimed(
  { terms, faults, endMs }: Setting,
  claims: readonly ClaimLine[],
  price: Price,
): Promise<void> {
  if (terms.signerKind !== SIGNER_KIND.nobody) return
  const claimed = new Set(claims.map((claim) => claim.period))
  let period = 0
  while (claimed.has(period)) period += 1
  const knownMs = endMs - LAG_MS
  if (period >= terms.periods || Number(periodStart(terms, period)) * 1000 > knownMs) return
  const owed = await price([], period, latestAsOf(terms, period, knownMs))
  if (owed === 0n) return
  faults.add({
    code: 'OWED_MISMATCH',
    message: 'the node claims nothing for a period that time alone has made owed',
    period,
    expected: String(owed),
    found: 'none',
  })
}

function checkClaimedPayment(
  { faults, writtenMs }: Setting,
  claim: ClaimLine,
  money: PeriodMoney | undefined,
): void {
  const sums = [{ paidMinor: 0n, blockSeconds: 0 }, ...(money?.paidOverTime ?? [])]
  const newestThatItMustKnow = sums.findLastIndex(
    (sum) => sum.blockSeconds * 1000 <= writtenMs - LAG_MS,
  )
  if (sums.slice(newestThatItMustKnow).some((sum) => sum.paidMinor === claim.settledMinor)) return
  faults.add({
    code: 'AMOUNT_MISMATCH',
    message: 'the node claims that another amount was settled than the ledger paid',
    period: claim.period,
    expected: String(sums.at(-1)?.paidMinor ?? 0n),
    found: String(claim.settledMinor),
  })
}

/** A period that the evidence moves but the node does not mention would go unbilled without a trace. */
function checkAllClaimed(
  { histories, faults, writtenMs }: Setting,
  claims: readonly ClaimLine[],
): void {
  const claimed = new Set(claims.map((claim) => claim.period))
  for (const period of new Set(histories.flatMap((history) => history.periods()))) {
    if (claimed.has(period)) continue
    const since = Math.min(...histories.map((history) => history.movedSinceMs(period)))
    if (since > writtenMs - LAG_MS) continue
    faults.add({
      code: 'OWED_MISMATCH',
      message: 'the node claims nothing for a period in which the evidence shows use',
      period,
      expected: listText(registersAt(histories, lastPoint(histories), period)),
      found: 'none',
    })
  }
}
