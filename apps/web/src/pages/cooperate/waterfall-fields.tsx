import { useDeployment } from '../../queries.ts'
import { AccountField } from './account-field.tsx'
import { PlainField } from './plain-field.tsx'
import { mostFees, type WaterfallDraft } from './waterfall-draft.ts'

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
