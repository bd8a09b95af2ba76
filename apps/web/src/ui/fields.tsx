import { type ReactNode, useId } from 'react'

/** What stands under a field when it cannot stay so. Of one that is empty, only once somebody tried to send it. */
export interface Told {
  problems: Readonly<Record<string, string>>
  tried: boolean
}

const problemOf = ({ problems, tried }: Told, name: string, value: string): string | undefined =>
  tried || value.trim() !== '' ? problems[name] : undefined

/** A text with its name, a hint, and what is wrong with it. */
export const TextField = ({
  label,
  name,
  value,
  onChange,
  told,
  hint,
  placeholder,
  decimal = true,
}: {
  label: string
  name: string
  value: string
  onChange: (value: string) => void
  told: Told
  hint?: ReactNode
  placeholder?: string
  decimal?: boolean
}) => {
  const id = useId()
  const problem = problemOf(told, name, value)
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        value={value}
        autoComplete="off"
        inputMode={decimal ? 'decimal' : 'text'}
        placeholder={placeholder}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-words`}
        onChange={({ target }) => onChange(target.value)}
      />
      <div id={`${id}-words`}>
        {problem ? <p className="field-problem">{problem}</p> : null}
        {hint ? <p className="note">{hint}</p> : null}
      </div>
    </div>
  )
}

/** One of many, by name. */
export const PickField = ({
  label,
  name,
  value,
  onChange,
  told,
  hint,
  children,
}: {
  label: string
  name: string
  value: string
  onChange: (value: string) => void
  told: Told
  hint?: ReactNode
  children: ReactNode
}) => {
  const id = useId()
  const problem = problemOf(told, name, value)
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-words`}
        onChange={({ target }) => onChange(target.value)}
      >
        {children}
      </select>
      <div id={`${id}-words`}>
        {problem ? <p className="field-problem">{problem}</p> : null}
        {hint ? <p className="note">{hint}</p> : null}
      </div>
    </div>
  )
}
