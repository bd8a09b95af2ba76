import {
  adjustmentDigest,
  encodeTariffData,
  evidenceHead,
  type Hex,
  signTypedDigest,
} from '@liquefy/protocol'
import { describe, expect, test } from 'vitest'
import { auditBundle } from '../src/index.ts'
import {
  CHAIN_ID,
  CLEARING_HOUSE,
  emptyBusiness,
  MACHINE_KEY,
  TERMS,
} from './synthetic/business.ts'

const START = Number(TERMS.start)
const FINAL = START + TERMS.periodSeconds + TERMS.lateSeconds
const [meter] = TERMS.meters
const [limit] = TERMS.limits
if (!meter || !limit) throw new Error('The terms have a meter.')
const ONE_METER = {
  ...TERMS,
  meters: [meter],
  limits: [limit],
  tariffData: encodeTariffData({ kind: 'linear', prices: [30n], scale: 1 }),
}
/** 500 g that came after the period was final, at 3 each. */
const LATE_MINOR = 1_500n

/**
 * A counter that showed 1,000 g in time and, unless `isLate` is false, 1,500 g after the period was final. The meter signed, and the ledger paid,
 * an adjustment of `amount`.
 */
function adjustedBusiness({ amount = LATE_MINOR, isLate = true }) {
  const business = emptyBusiness(ONE_METER)
  business.log('mass', 0n, START)
  business.log('mass', 1_000n, START + 900)
  business.settle(0, START + 3_600, ['2'], [1_000n], 3_000n)
  const last = business.log('mass', isLate ? 1_500n : 1_000n, START + 1_800, {
    loggedAt: (FINAL + 60) * 1000,
  })
  business.claim(0, ['3'], [1_000n], 3_000n, 3_000n + amount)
  const head = evidenceHead([last.digest])
  const adjustment = { agreementId: business.id, period: 0, amount, evidenceHead: head }
  const digest = adjustmentDigest({
    chainId: CHAIN_ID,
    clearingHouse: CLEARING_HOUSE,
    adjustment,
  })
  business.meterValues.push({
    type: 'adjustment',
    ...adjustment,
    amount: String(amount),
    heads: [{ stream: 'mass', seq: '3' }],
    signature: signTypedDigest(MACHINE_KEY, digest),
  })
  pay(business, amount, head)
  return business
}

function pay(business: ReturnType<typeof emptyBusiness>, amount: bigint, evidenceHead: Hex) {
  business.payments.push({
    kind: 'adjusted',
    period: 0,
    amountMinor: amount,
    evidenceHead,
    paidMinor: amount,
    blockSeconds: FINAL + 120,
    transaction: evidenceHead,
  })
}

/** Audits an hour after the last envelope, when all of the log is anchored and everything is paid. */
async function audit(business: ReturnType<typeof emptyBusiness>) {
  business.wait()
  const { ledger } = business
  const anchors: typeof ledger.anchors = async (...where) =>
    (await ledger.anchors(...where)).map((anchor) => ({ ...anchor, blockSeconds: FINAL + 180 }))
  return auditBundle({ lines: await business.bundle(), ledger: { ...ledger, anchors } })
}

describe('what late evidence adds is recomputed', () => {
  test('as much as the readings say: difference 0', async () => {
    expect(await audit(adjustedBusiness({}))).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      settledMinor: '4500',
      unpriced: { LATE_FOR_PERIOD: 1 },
      periods: [{ registers: ['1000'], adjustedMinor: '1500' }],
    })
  })

  test('ATK twice as much, rightly signed and paid, is named with its difference', async () => {
    expect(await audit(adjustedBusiness({ amount: 2n * LATE_MINOR }))).toMatchObject({
      firstFault: { code: 'ADJUSTMENT_MISMATCH', period: 0, expected: '1500', found: '3000' },
      differenceMinor: '1500',
    })
  })

  test('ATK an adjustment for which there is no late evidence is named with its difference', async () => {
    expect(await audit(adjustedBusiness({ isLate: false }))).toMatchObject({
      firstFault: { code: 'ADJUSTMENT_MISMATCH', period: 0, expected: '0', found: '1500' },
      differenceMinor: '1500',
    })
  })

  test('ATK a node that leaves out the late envelope, and all that was said of it, is found out by the ledger', async () => {
    const business = adjustedBusiness({})
    business.logged.pop()
    business.meterValues.pop()
    business.claims.pop()
    business.claim(0, ['2'], [1_000n], 3_000n, 4_500n)
    expect(await audit(business)).toMatchObject({
      firstFault: { code: 'ADJUSTMENT_MISMATCH', period: 0, found: '1500' },
      differenceMinor: '1500',
    })
  })

  test('ATK the same late evidence paid a second time is named', async () => {
    const business = adjustedBusiness({})
    const [, first] = business.payments
    if (first?.kind !== 'adjusted') throw new Error('the second payment is the adjustment')
    pay(business, LATE_MINOR, first.evidenceHead)
    const report = await audit(business)
    expect(report.firstFault).toMatchObject({ code: 'ADJUSTMENT_MISMATCH', found: '3000' })
    expect(report.differenceMinor).toBe('1500')
  })
})
