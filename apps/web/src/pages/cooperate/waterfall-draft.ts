import type { Deployment, Vault, Waterfall } from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'
import { anyAmountIn } from '../../ui/amount.ts'
import { accountIn, knownName } from './account.ts'
import { bpsIn } from './percent.ts'

/** How income is split, as it is written. */
export interface WaterfallDraft {
  reserveTarget: string
  lender: string
  outstanding: string
  fees: { key: number; to: string; percent: string }[]
}

export const noWaterfall: WaterfallDraft = {
  reserveTarget: '0',
  lender: '',
  outstanding: '0',
  fees: [],
}

export const mostFees = 4

/** What stands now, to be changed. */
export const waterfallDraft = (
  { waterfall }: Pick<Vault, 'waterfall'>,
  deployment: Deployment,
): WaterfallDraft => {
  const written = (minor: string) =>
    formatDecimal(BigInt(minor), deployment.asset.decimals, { trim: true })
  return {
    reserveTarget: written(waterfall.reserveTargetMinor),
    lender: waterfall.lender === null ? '' : knownName(deployment, waterfall.lender),
    outstanding: written(waterfall.outstandingMinor),
    fees: waterfall.fees.map(({ to, bps }, key) => ({
      key,
      to: knownName(deployment, to),
      percent: String(bps / 100),
    })),
  }
}

/** A waterfall, or what is wrong with it. */
export const waterfallIn = (
  { reserveTarget, lender, outstanding, fees }: WaterfallDraft,
  deployment: Deployment,
): Waterfall | string => {
  const { decimals } = deployment.asset
  const target = anyAmountIn(reserveTarget, decimals)
  if (typeof target === 'string') return `Reserve: ${target}`
  const owed = anyAmountIn(outstanding, decimals)
  if (typeof owed === 'string') return `Lender: ${owed}`
  const account = accountIn(lender, deployment)
  if (lender.trim() !== '' && account === undefined) return 'Lender: nobody has this name.'
  if (account === undefined && owed > 0n) return 'Lender: say who it is.'
  const read = fees.map(({ to, percent }) => ({
    to: accountIn(to, deployment),
    bps: bpsIn(percent),
  }))
  const made: Waterfall['fees'][number][] = []
  for (const [index, { to, bps }] of read.entries()) {
    if (to === undefined) return `Fee ${index + 1}: say who gets it.`
    if (typeof bps === 'string') return `Fee ${index + 1}: ${bps}`
    made.push({ to, bps })
  }
  if (made.reduce((sum, { bps }) => sum + bps, 0) > 10_000) {
    return 'Fees: together they are more than all.'
  }
  return {
    reserveTarget: target,
    fees: made,
    ...(account ? { lender: { account, outstanding: owed } } : {}),
  }
}
