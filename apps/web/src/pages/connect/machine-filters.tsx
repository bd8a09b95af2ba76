import { useState } from 'react'
import { Choice } from '../../ui/choice.tsx'
import { type MachineFilter, type MachineOrder, orders, states } from './machine-filter.ts'

/** What to show of the machines. The list below follows each key. */
export const MachineFilters = ({
  filter,
  signedIn,
  onChoose,
  onClear,
}: {
  filter: MachineFilter
  signedIn: boolean
  onChoose: (change: Partial<MachineFilter>) => void
  onClear: () => void
}) => {
  // Its own, since the address follows a moment later than the keys.
  const [text, setText] = useState(filter.find ?? '')
  const isNarrowed = Boolean(filter.find || filter.state || filter.attention)
  return (
    <search className="machine-filters">
      <label className="field machine-find">
        <span>Find by name or id</span>
        <input
          type="search"
          value={text}
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => {
            setText(target.value)
            onChoose({ find: target.value || undefined })
          }}
        />
      </label>
      <label className="field">
        <span>State</span>
        <select
          value={filter.state ?? ''}
          onChange={({ target }) =>
            onChoose({ state: states.find((state) => state === target.value) })
          }
        >
          <option value="">any</option>
          {states.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>
      </label>
      <label className="field">
        <span>Order</span>
        <select
          value={filter.order ?? 'id'}
          onChange={({ target }) => onChoose({ order: target.value as MachineOrder })}
        >
          {Object.entries(orders).map(([order, { words }]) => (
            <option key={order} value={order}>
              {words}
            </option>
          ))}
        </select>
      </label>
      {signedIn ? (
        <Choice
          label="Whose"
          options={[
            { words: 'Mine', value: 'mine' },
            { words: 'All', value: 'all' },
          ]}
          value={filter.whose ?? 'all'}
          onChoose={(whose) => onChoose({ whose })}
        />
      ) : null}
      <label className="machine-check">
        <input
          type="checkbox"
          checked={filter.attention === true}
          onChange={({ target }) => onChoose({ attention: target.checked ? true : undefined })}
        />
        Needs attention
      </label>
      {isNarrowed ? (
        <button
          type="button"
          className="button button-quiet"
          onClick={() => {
            setText('')
            onClear()
          }}
        >
          Show all
        </button>
      ) : null}
    </search>
  )
}
