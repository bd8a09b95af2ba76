import type { BuyoutDraft } from './buyout-draft.ts'
import { DurationField } from './duration-field.tsx'
import { PlainField } from './plain-field.tsx'

export const BuyoutFields = ({
  draft,
  onChange,
}: {
  draft: BuyoutDraft
  onChange: (draft: BuyoutDraft) => void
}) => (
  <>
    <label className="check">
      <input
        type="checkbox"
        checked={draft.allowed}
        onChange={({ target }) => onChange({ ...draft, allowed: target.checked })}
      />
      Who holds most shares may offer for all others
    </label>
    {draft.allowed ? (
      <div className="field-row">
        <PlainField
          label="Percent of the shares that he must hold"
          value={draft.min}
          onChange={(min) => onChange({ ...draft, min })}
        />
        <PlainField
          label="Refused by more of the others’, percent"
          value={draft.refusal}
          onChange={(refusal) => onChange({ ...draft, refusal })}
        />
        <DurationField
          label="Time to refuse"
          value={draft.delay}
          onChange={(delay) => onChange({ ...draft, delay })}
        />
      </div>
    ) : null}
  </>
)
