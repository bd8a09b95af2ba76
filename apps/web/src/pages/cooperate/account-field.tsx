import { useId } from 'react'
import { useDeployment } from '../../queries.ts'
import { accountIn } from './account.ts'

/** An account, by its address or by the name of one of this ledger's people. */
export const AccountField = ({
  label,
  value,
  onChange,
  hint,
}: {
  label: string
  value: string
  onChange: (value: string) => void
  hint?: string
}) => {
  const deployment = useDeployment().data
  const names = useId()
  const words = useId()
  const account = accountIn(value, deployment)
  return (
    <div className="field">
      <label htmlFor={`${names}-field`}>{label}</label>
      <input
        id={`${names}-field`}
        list={names}
        value={value}
        autoComplete="off"
        placeholder="0x…"
        aria-invalid={value.trim() !== '' && account === undefined}
        aria-describedby={words}
        onChange={({ target }) => onChange(target.value)}
      />
      <datalist id={names}>
        {deployment?.people.map(({ name, address }) => (
          <option key={address} value={name} />
        ))}
      </datalist>
      <div id={words}>
        {value.trim() !== '' && account === undefined ? (
          <p className="field-problem">Neither an address (0x and 40 digits) nor a known name.</p>
        ) : null}
        {hint ? <p className="note">{hint}</p> : null}
      </div>
    </div>
  )
}
