import { useId } from 'react'
import { type Duration, durationUnits, secondsIn } from './duration.ts'

export const DurationField = ({
  label,
  value,
  onChange,
  hint,
}: {
  label: string
  value: Duration
  onChange: (value: Duration) => void
  hint?: string
}) => {
  const id = useId()
  const problem = secondsIn(value)
  const isWrong = typeof problem === 'string'
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <div className="duration">
        <input
          id={id}
          inputMode="decimal"
          autoComplete="off"
          value={value.count}
          aria-invalid={isWrong}
          aria-describedby={`${id}-words`}
          onChange={({ target }) => onChange({ ...value, count: target.value })}
        />
        <select
          aria-label={`Unit of: ${label}`}
          value={value.unit}
          onChange={({ target }) => onChange({ ...value, unit: target.value as Duration['unit'] })}
        >
          {durationUnits.map((unit) => (
            <option key={unit} value={unit}>
              {unit}
            </option>
          ))}
        </select>
      </div>
      <div id={`${id}-words`}>
        {isWrong ? <p className="field-problem">{problem}</p> : null}
        {hint ? <p className="note">{hint}</p> : null}
      </div>
    </div>
  )
}
