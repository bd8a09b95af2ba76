import type { GoodKind, MachineSummary, OrderSide } from '@liquefy/client'
import { useState } from 'react'
import { Choice } from '../../ui/choice.tsx'
import { kinds, type MarketFilter, sorts } from './market-filter.ts'

const any = ''

/** What to show of the market. The orders below follow each key. */
export const MarketFilters = ({
  filter,
  machines,
  signedIn,
  onChoose,
  onClear,
}: {
  filter: MarketFilter
  machines: readonly MachineSummary[]
  signedIn: boolean
  onChoose: (change: Partial<MarketFilter>) => void
  onClear: () => void
}) => {
  // Its own, since the address follows a moment later than the keys.
  const [texts, setTexts] = useState({
    find: filter.find ?? '',
    upTo: filter.upTo ?? '',
    yield: filter.yield ?? '',
  })
  const write = (name: keyof typeof texts, text: string) => {
    setTexts({ ...texts, [name]: text })
    onChoose({ [name]: text || undefined })
  }
  const placed = machines.filter(({ place }) => place !== null)
  const isNarrowed = Object.values(filter).some((value) => value !== undefined)
  return (
    <search className="market-filters">
      <label className="field market-find">
        <span>Find by name or id</span>
        <input
          type="search"
          value={texts.find}
          autoComplete="off"
          spellCheck={false}
          onChange={({ target }) => write('find', target.value)}
        />
      </label>
      <label className="field">
        <span>Kind</span>
        <select
          value={filter.kind ?? any}
          onChange={({ target }) =>
            onChoose({ kind: target.value === any ? undefined : (target.value as GoodKind) })
          }
        >
          <option value={any}>any</option>
          {Object.entries(kinds).map(([kind, { words }]) => (
            <option key={kind} value={kind}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        <span>Side</span>
        <select
          value={filter.side ?? any}
          onChange={({ target }) =>
            onChoose({ side: target.value === any ? undefined : (target.value as OrderSide) })
          }
        >
          <option value={any}>any</option>
          <option value="sale">for sale</option>
          <option value="offer">wanted</option>
        </select>
      </label>
      <label className="field market-number">
        <span>Price up to</span>
        <input
          inputMode="decimal"
          value={texts.upTo}
          autoComplete="off"
          onChange={({ target }) => write('upTo', target.value)}
        />
      </label>
      <label className="field market-number">
        <span>Yield from, %</span>
        <input
          inputMode="decimal"
          value={texts.yield}
          autoComplete="off"
          onChange={({ target }) => write('yield', target.value)}
        />
      </label>
      {placed.length === 0 ? null : (
        <label className="field">
          <span>Within 50 km of</span>
          <select
            value={filter.near ?? any}
            onChange={({ target }) => onChoose({ near: target.value || undefined })}
          >
            <option value={any}>anywhere</option>
            {placed.map(({ machineId, name }) => (
              <option key={machineId} value={machineId}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label className="field">
        <span>Order</span>
        <select
          value={filter.order ?? 'newest'}
          onChange={({ target }) => onChoose({ order: target.value as MarketFilter['order'] })}
        >
          {Object.entries(sorts).map(([sort, words]) => (
            <option key={sort} value={sort}>
              {words}
            </option>
          ))}
        </select>
      </label>
      {signedIn ? (
        <Choice
          label="Whose"
          options={[
            { words: 'All', value: 'all' },
            { words: 'Mine', value: 'mine' },
          ]}
          value={filter.mine ? 'mine' : 'all'}
          onChoose={(whose) => onChoose({ mine: whose === 'mine' ? true : undefined })}
        />
      ) : null}
      {isNarrowed ? (
        <button
          type="button"
          className="button button-quiet"
          onClick={() => {
            setTexts({ find: '', upTo: '', yield: '' })
            onClear()
          }}
        >
          Show all
        </button>
      ) : null}
    </search>
  )
}
