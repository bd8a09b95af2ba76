import { DurationField } from './duration-field.tsx'
import type { GovernanceDraft } from './governance-draft.ts'
import { PlainField } from './plain-field.tsx'

export const GovernanceFields = ({
  draft,
  onChange,
}: {
  draft: GovernanceDraft
  onChange: (draft: GovernanceDraft) => void
}) => (
  <>
    <div className="field-row">
      <DurationField
        label="From a proposal to its vote"
        value={draft.delay}
        onChange={(delay) => onChange({ ...draft, delay })}
        hint="Shares count as they stand then."
      />
      <DurationField
        label="Time to vote"
        value={draft.period}
        onChange={(period) => onChange({ ...draft, period })}
      />
      <DurationField
        label="From accepted to done"
        value={draft.timelock}
        onChange={(timelock) => onChange({ ...draft, timelock })}
        hint="Who does not agree can sell his shares meanwhile."
      />
    </div>
    <div className="field-row">
      <PlainField
        label="Percent of all shares that must take part"
        value={draft.quorum}
        onChange={(quorum) => onChange({ ...draft, quorum })}
      />
      <PlainField
        label="Votes that it takes to propose"
        value={draft.threshold}
        onChange={(threshold) => onChange({ ...draft, threshold })}
      />
    </div>
  </>
)
