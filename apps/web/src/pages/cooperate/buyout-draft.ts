import type { BuyoutRules, Vault } from '@liquefy/client'
import { type Duration, durationOf, secondsIn } from './duration.ts'
import { bpsIn } from './percent.ts'

/** Who may offer for the rest, as it is written. */
export interface BuyoutDraft {
  allowed: boolean
  min: string
  refusal: string
  delay: Duration
}

export const usualBuyout: BuyoutDraft = {
  allowed: true,
  min: '75',
  refusal: '25',
  delay: { count: '14', unit: 'days' },
}

export const buyoutDraft = ({ buyoutRules }: Pick<Vault, 'buyoutRules'>): BuyoutDraft =>
  buyoutRules
    ? {
        allowed: true,
        min: String(buyoutRules.minBps / 100),
        refusal: String(buyoutRules.refusalBps / 100),
        delay: durationOf(buyoutRules.delaySeconds),
      }
    : { ...usualBuyout, allowed: false }

/** Rules of a buy-out, null for none, or what is wrong with them. */
export const buyoutIn = ({
  allowed,
  min,
  refusal,
  delay,
}: BuyoutDraft): BuyoutRules | null | string => {
  if (!allowed) return null
  const [minBps, refusalBps, delaySeconds] = [bpsIn(min), bpsIn(refusal), secondsIn(delay)]
  if (typeof minBps === 'string') return `Buy-out: ${minBps}`
  if (minBps < 5_000) return 'Buy-out: who offers must hold half of the shares at least.'
  if (typeof refusalBps === 'string') return `Buy-out: ${refusalBps}`
  if (refusalBps === 10_000) return 'Buy-out: nobody could refuse it at 100 percent.'
  if (typeof delaySeconds === 'string') return `Buy-out: ${delaySeconds}`
  if (delaySeconds < 3_600) return 'Buy-out: the others need an hour at least to refuse.'
  return { minBps, refusalBps, delaySeconds }
}
