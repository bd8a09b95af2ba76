import { type ReactNode, useId } from 'react'

/** What stands under a field when it cannot stay so. Of one that is empty, only once somebody tried to send it. */
export interface Told {
  problems: Readonly<Record<string, string>>
  tried: boolean
}

/** Of a field in which nothing can be wrong. */
export const toldNothing: Told = { problems: {}, tried: false }

interface FieldProps {
  label: string
  name: string
  value: string
  onChange: (value: string) => void
  told: Told
  hint?: ReactNode
}

/** A text with its name, a hint, and what is wrong with it. */
export const TextField = ({
  placeholder,
  decimal = true,
  ...field
}: FieldProps & { placeholder?: string; decimal?: boolean }) => (
  <Framed field={field}>
    {(control) => (
      <input
        {...control}
        value={field.value}
        autoComplete="off"
        inputMode={decimal ? 'decimal' : 'text'}
        placeholder={placeholder}
        onChange={({ target }) => field.onChange(target.value)}
      />
    )}
  </Framed>
)

/** One of many, by name. */
export const PickField = ({ children, ...field }: FieldProps & { children: ReactNode }) => (
  <Framed field={field}>
    {(control) => (
      <select
        {...control}
        value={field.value}
        onChange={({ target }) => field.onChange(target.value)}
      >
        {children}
      </select>
    )}
  </Framed>
)

interface Control {
  id: string
  'aria-invalid': boolean
  'aria-describedby': string
}

const Framed = ({
  field: { label, name, value, told, hint },
  children,
}: {
  field: FieldProps
  children: (control: Control) => ReactNode
}) => {
  const id = useId()
  const isTold = told.tried || value.trim() !== ''
  const problem = isTold ? told.problems[name] : undefined
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        'aria-invalid': problem !== undefined,
        'aria-describedby': `${id}-words`,
      })}
      <div id={`${id}-words`}>
        {problem ? <p className="field-problem">{problem}</p> : null}
        {hint ? <p className="note">{hint}</p> : null}
      </div>
    </div>
  )
}
