import { useId } from 'react'

const units = { minutes: 60, hours: 3_600, days: 86_400 } as const

/** A time as it is written: a number, and what of. */
export interface Duration {
  count: string
  unit: keyof typeof units
}

/** In the largest unit that leaves nothing over. */
export const durationOf = (seconds: number): Duration => {
  const unit =
    seconds % units.days === 0 ? 'days' : seconds % units.hours === 0 ? 'hours' : 'minutes'
  return { count: String(Number((seconds / units[unit]).toFixed(2))), unit }
}

/** In whole seconds, at least one, or what is wrong with it. */
export const secondsIn = ({ count, unit }: Duration): number | string => {
  if (!/^\d{1,5}(\.\d{1,2})?$/.test(count.trim())) return 'Write a number like 3.'
  const seconds = Math.round(Number(count) * units[unit])
  return seconds === 0 ? 'It must be more than nothing.' : seconds
}

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
          {Object.keys(units).map((unit) => (
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
