import type { Deployment, Vault, Waterfall } from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'
import { useDeployment } from '../../queries.ts'
import { anyAmountIn } from '../../ui/amount.ts'
import { AccountField, accountIn, knownName } from './account-field.tsx'
import { bpsIn } from './percent.ts'
import { PlainField } from './plain-field.tsx'

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

const mostFees = 4

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

export const WaterfallFields = ({
  draft,
  onChange,
}: {
  draft: WaterfallDraft
  onChange: (draft: WaterfallDraft) => void
}) => {
  const symbol = useDeployment().data?.asset.symbol ?? ''
  const changeFee = (key: number, change: Partial<WaterfallDraft['fees'][number]>) =>
    onChange({
      ...draft,
      fees: draft.fees.map((fee) => (fee.key === key ? { ...fee, ...change } : fee)),
    })
  return (
    <>
      <PlainField
        label={`First, fill a reserve up to, in ${symbol}`}
        value={draft.reserveTarget}
        onChange={(reserveTarget) => onChange({ ...draft, reserveTarget })}
        hint="For upkeep; owners vote on what is spent of it. 0: nothing is put aside."
      />
      <div className="field-row">
        <AccountField
          label="Then repay a lender"
          value={draft.lender}
          onChange={(lender) => onChange({ ...draft, lender })}
          hint="Empty: there is none."
        />
        <PlainField
          label={`What he is still owed, in ${symbol}`}
          value={draft.outstanding}
          onChange={(outstanding) => onChange({ ...draft, outstanding })}
        />
      </div>
      {draft.fees.map((fee, index) => (
        <div key={fee.key} className="fee-row">
          <AccountField
            label={`Fee ${index + 1} goes to`}
            value={fee.to}
            onChange={(to) => changeFee(fee.key, { to })}
          />
          <PlainField
            label={`Percent, fee ${index + 1}`}
            value={fee.percent}
            onChange={(percent) => changeFee(fee.key, { percent })}
          />
          <button
            type="button"
            className="button button-plain"
            onClick={() =>
              onChange({ ...draft, fees: draft.fees.filter(({ key }) => key !== fee.key) })
            }
          >
            Remove<span className="visually-hidden"> fee {index + 1}</span>
          </button>
        </div>
      ))}
      <div className="actions">
        {draft.fees.length < mostFees ? (
          <button
            type="button"
            className="button button-quiet"
            onClick={() => onChange({ ...draft, fees: [...draft.fees, newFee(draft)] })}
          >
            Add a fee
          </button>
        ) : null}
      </div>
      <p className="note">All that is left is the owners’, by their shares.</p>
    </>
  )
}

const newFee = ({ fees }: WaterfallDraft) => ({
  key: Math.max(-1, ...fees.map(({ key }) => key)) + 1,
  to: '',
  percent: '5',
})
