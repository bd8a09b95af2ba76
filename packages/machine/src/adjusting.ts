import {
  adjustmentDigest,
  decodeTariffData,
  finalFromMs,
  type Hex,
  type SignedAdjustmentJson,
  type SigningKey,
  signedAdjustmentToJson,
  signTypedDigest,
  type Tariff,
  type TariffContracts,
  tariffKindAt,
} from '@liquefy/protocol'
import {
  adjustmentOf,
  type KnownAgreement,
  lateMeteredPeriods,
  type MeterFold,
} from './metered-agreement.ts'

/** What became of one adjustment. */
export type AdjustmentEvent =
  | { kind: 'adjustment-signed'; agreementId: Hex; period: number; amountMinor: bigint }
  | { kind: 'adjustment-accepted'; agreementId: Hex; period: number; amountMinor: bigint }
  | { kind: 'adjustment-refused'; agreementId: Hex; period: number; code: string }

/** Signs, once a period, what late evidence adds to it after it was final. */
export interface Adjusting {
  /** Signs what is due; with `force`, whatever is final. Says how many. */
  sign(agreement: KnownAgreement, folds: readonly MeterFold[], force: boolean): number
  /** True if it was the answer to an adjustment. */
  onAnswer(json: unknown): boolean
  unanswered(): number
}

interface Asked {
  agreementId: Hex
  period: number
  amount: bigint
  sentMs: number
  answered: boolean
  /** Nothing more is to be done for the period. */
  done: boolean
}

const ANSWER_MS = 10_000
const REFUSED_MS = 3_600_000
const SETTLED = new Set(['ACCEPTED', 'ADJUSTMENT_EXISTS'])

export function createAdjusting(options: {
  key: SigningKey
  chainId: number
  clearingHouse: Hex | undefined
  tariffs: TariffContracts | undefined
  nowMs: () => number
  publish: (adjustment: SignedAdjustmentJson) => void
  emit: (event: AdjustmentEvent) => void
}): Adjusting {
  const { key, chainId, clearingHouse, tariffs, nowMs, publish, emit } = options
  const asked = new Map<string, Asked>()

  /** Half of the time for settling is left to stragglers, since a period has one adjustment only. */
  function isDue({ agreementId, terms }: KnownAgreement, period: number, force: boolean): boolean {
    const before = asked.get(`${agreementId}/${period}`)
    const pauseMs = before?.answered ? REFUSED_MS : ANSWER_MS
    if (before && (before.done || nowMs() < before.sentMs + pauseMs)) return false
    const waitMs = force ? 0 : terms.settleSeconds * 500
    return nowMs() >= finalFromMs(terms, period) + waitMs
  }

  function signOne(
    agreement: KnownAgreement,
    folds: readonly MeterFold[],
    tariff: Tariff,
    period: number,
  ): boolean {
    const found = adjustmentOf(agreement, folds, tariff, period)
    if (!found || !clearingHouse) return false
    const { adjustment, heads } = found
    const digest = adjustmentDigest({ chainId, clearingHouse, adjustment })
    const { agreementId, amount } = adjustment
    asked.set(`${agreementId}/${period}`, {
      agreementId,
      period,
      amount,
      sentMs: nowMs(),
      answered: false,
      done: false,
    })
    publish(
      signedAdjustmentToJson({ ...adjustment, heads, signature: signTypedDigest(key, digest) }),
    )
    emit({ kind: 'adjustment-signed', agreementId, period, amountMinor: amount })
    return true
  }

  return {
    sign(agreement, folds, force) {
      const periods = lateMeteredPeriods(folds).filter((period) => isDue(agreement, period, force))
      if (periods.length === 0 || !tariffs) return 0
      const tariff = tariffOf(agreement, tariffs)
      if (!tariff) return 0
      return periods.filter((period) => signOne(agreement, folds, tariff, period)).length
    },
    onAnswer(json) {
      const answer = (json ?? {}) as {
        agreementId?: Hex
        period?: number
        amount?: string
        code?: string
      }
      if (answer.amount === undefined) return false
      const one = asked.get(`${answer.agreementId}/${answer.period}`)
      if (!one || String(one.amount) !== answer.amount) return true
      const { agreementId, period, amount } = one
      one.answered = true
      one.done = SETTLED.has(String(answer.code))
      emit(
        answer.code === 'ACCEPTED'
          ? { kind: 'adjustment-accepted', agreementId, period, amountMinor: amount }
          : { kind: 'adjustment-refused', agreementId, period, code: String(answer.code) },
      )
      return true
    },
    unanswered: () => [...asked.values()].filter(({ answered }) => !answered).length,
  }
}

/** The tariff, if its contract is one of the deployment that this machine trusts: it signs no amount that it cannot compute. */
function tariffOf({ terms }: KnownAgreement, tariffs: TariffContracts): Tariff | undefined {
  const kind = tariffKindAt(tariffs, terms.tariff)
  return kind && decodeTariffData(kind, terms.tariffData)
}
