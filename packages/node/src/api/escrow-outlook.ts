import type { EscrowOutlook, Hex } from '@liquefy/client'
import {
  elapsedSeconds,
  escrowLife,
  explainEscrowLife,
  larger,
  owedCapped,
  type Pace,
  periodStart,
  SIGNER_KIND,
  smaller,
} from '@liquefy/protocol'
import { noMoney, readMoney } from '../store/agreements.ts'
import { type OwedAmount, readOwedAmounts } from '../store/metering.ts'
import { readProvenSteps, registerAtTime } from '../store/money-history.ts'
import type { MeteredAgreement } from '../transact/agreements.ts'
import { unpaidMinor } from '../transact/notices.ts'
import { knownAgreement, periodTimes } from './agreement-view.ts'
import type { ApiContext } from './context.ts'
import type { PricedAgreement } from './money-history.ts'
import { unknown } from './problem.ts'

/** The pace is that of so long before now. */
const LATELY_SECONDS = 86_400n

/**
 * How long an agreement's escrow lasts at the pace of the last 24 hours, or since it began.
 *
 * @throws ProblemError 404 `AGREEMENT_UNKNOWN`.
 */
export async function escrowOutlook(context: ApiContext, agreementId: Hex): Promise<EscrowOutlook> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const { terms, open } = agreement
  if (!terms) throw unknown('AGREEMENT_UNKNOWN', `A tariff for agreement ${agreementId}`)
  const [moneyById, owed] = await Promise.all([
    readMoney(db, 0, [agreementId]),
    readOwedAmounts(db, agreementId),
  ])
  const money = moneyById.get(agreementId) ?? noMoney()
  const nowSeconds = BigInt(Math.floor(context.clock.nowMs() / 1000))
  const pace = await paceOf(context, agreement, owed, nowSeconds)
  const running = (nowSeconds - terms.start) / BigInt(terms.periodSeconds)
  const unpaid = unpaidMinor(money, owed)
  const life = escrowLife({
    terms,
    open,
    escrowMinor: money.escrowMinor,
    unpaidMinor: unpaid,
    owedMinor: owed.find(({ period }) => BigInt(period) === running)?.owedMinor ?? 0n,
    pace,
    nowSeconds,
  })
  return {
    escrowMinor: String(money.escrowMinor),
    unpaidMinor: String(unpaid),
    paceMinor: String(pace.minor),
    paceSeconds: Number(pace.seconds),
    kind: life.kind,
    lastsSeconds: life.kind === 'lasts' ? String(life.seconds) : null,
    inWords: explainEscrowLife(life, pace),
  }
}

/** What came to be owed in the last 24 hours, or since the agreement began. */
async function paceOf(
  context: ApiContext,
  { agreementId, terms, tariff }: MeteredAgreement,
  owed: readonly OwedAmount[],
  nowSeconds: bigint,
): Promise<Pace> {
  if (!terms || !tariff) return { minor: 0n, seconds: 0n }
  const dayAgo = nowSeconds - LATELY_SECONDS
  const since = larger(terms.start, dayAgo)
  if (since >= nowSeconds) return { minor: 0n, seconds: 0n }
  let minor = 0n
  for (const row of owed) {
    if (periodTimes(terms, row.period).endMs <= Number(since) * 1000) continue
    const before = await owedBy(context, { agreementId, terms, tariff }, row, since)
    if (row.owedMinor > before) minor += row.owedMinor - before
  }
  return { minor, seconds: nowSeconds - since }
}

/** What a period owed by a second. */
async function owedBy(
  { database }: ApiContext,
  { agreementId, terms, tariff }: PricedAgreement,
  { period, asOf }: OwedAmount,
  seconds: bigint,
): Promise<bigint> {
  const start = periodStart(terms, period)
  if (seconds <= start) return 0n
  if (terms.meters.length === 0 && terms.signerKind !== SIGNER_KIND.nobody) {
    const [proven] = await readProvenSteps(database.pool, { agreementId, period }, 1, seconds)
    return proven?.owedMinor ?? 0n
  }
  const registers = []
  for (const meter of terms.meters.keys()) {
    const of = { agreementId, meter, period }
    registers.push(await registerAtTime(database.pool, of, Number(seconds) * 1000))
  }
  const at = smaller(seconds, asOf)
  const elapsed = elapsedSeconds(terms, { period, asOf: at })
  return owedCapped(tariff, registers, elapsed, terms.capMinor)
}
