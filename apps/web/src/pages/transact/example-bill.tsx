import {
  type Explained,
  exampleQuantities,
  formatDecimal,
  owedCapped,
  parseDecimal,
  tariffUnits,
} from '@liquefy/protocol'
import { useState } from 'react'
import { formatExact } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'

/** What a period would cost, by the same arithmetic that the ledger uses, for a quantity that the reader chooses. */
export const ExampleBill = ({ explained }: { explained: Explained }) => {
  const { terms, tariff, rules } = explained
  const [unit] = tariffUnits(terms, rules)
  const steps = tariff && unit ? exampleQuantities(tariff, unit, terms) : []
  const [text, setText] = useState<string>()
  if (!tariff) return null
  const places = unit ? String(unit.per).length - 1 : 0
  const shown =
    text ?? formatDecimal(steps[Math.floor(steps.length / 5)] ?? 0n, places, { trim: true })
  const quantity = quantityIn(shown, places)
  const seconds = BigInt(terms.periodSeconds)
  const first = quantity === undefined ? [] : [quantity]
  // Of several registers, the example fills the first.
  const registers = terms.limits.map((_, index) => (index === 0 ? (first[0] ?? 0n) : 0n))
  const owed = owedCapped(tariff, registers, seconds, terms.capMinor)
  const nearest = steps.findIndex((step) => step >= (quantity ?? 0n))
  return (
    <section className="example-bill" aria-label="Example bill">
      <h3>Example bill</h3>
      {unit ? (
        <>
          <label className="field">
            <span>Counted in one period, in {unit.unit}</span>
            <input
              inputMode="decimal"
              autoComplete="off"
              value={shown}
              onChange={({ target }) => setText(target.value)}
            />
          </label>
          <input
            type="range"
            className="example-slider"
            aria-label="Counted in one period, by slider"
            aria-valuetext={`${shown} ${unit.unit}`}
            min={0}
            max={Math.max(0, steps.length - 1)}
            value={nearest === -1 ? Math.max(0, steps.length - 1) : nearest}
            onChange={({ target }) =>
              setText(formatDecimal(steps[Number(target.value)] ?? 0n, places, { trim: true }))
            }
          />
        </>
      ) : null}
      {unit && quantity === undefined ? (
        <p className="note">Write a quantity like 250, with at most {places} decimal places.</p>
      ) : (
        <p className="example-owed" aria-live="polite">
          <Money minor={String(owed)} large />
          <span className="note">
            {unit
              ? `for ${formatExact(String(quantity), places, 0)} ${unit.unit} in a whole period`
              : 'for a whole period'}
            {owed === terms.capMinor ? ': the most that a period may cost' : ''}
          </span>
        </p>
      )}
    </section>
  )
}

/** Register units; undefined if the text is no quantity. */
const quantityIn = (text: string, places: number): bigint | undefined => {
  try {
    const value = parseDecimal(text.trim(), places)
    return value < 0n ? undefined : value
  } catch {
    return undefined
  }
}
