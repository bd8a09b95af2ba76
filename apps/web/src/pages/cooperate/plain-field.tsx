import { useId } from 'react'

/** A text with its name and a hint. */
export const PlainField = ({
  label,
  value,
  onChange,
  hint,
  decimal = true,
  most = 200,
}: {
  label: string
  value: string
  onChange: (value: string) => void
  hint?: string
  decimal?: boolean
  /** Characters. */
  most?: number
}) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        value={value}
        maxLength={most}
        autoComplete="off"
        inputMode={decimal ? 'decimal' : 'text'}
        aria-describedby={`${id}-words`}
        onChange={({ target }) => onChange(target.value)}
      />
      <div id={`${id}-words`}>{hint ? <p className="note">{hint}</p> : null}</div>
    </div>
  )
}
