import { type OfferPrice, pricedUnit } from '@liquefy/client'
import { useDeployment } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { PickField, TextField, type Told } from '../../ui/fields.tsx'
import { type OfferDraft, priceAs } from './offer-draft.ts'

const kindWords: { words: string; value: OfferPrice['kind'] }[] = [
  { words: 'For each unit', value: 'linear' },
  { words: 'In tiers', value: 'tiered' },
  { words: 'A plan', value: 'plan' },
]

interface Props {
  draft: OfferDraft
  onChange: (draft: OfferDraft) => void
  told: Told
}

/** What it costs. */
export const PriceFields = ({ draft, onChange, told }: Props) => {
  const { price, meter } = draft.offer
  const symbol = useDeployment().data?.asset.symbol ?? ''
  const unit = pricedUnit(meter)?.unit ?? ''
  const change = (next: OfferPrice) =>
    onChange({ ...draft, offer: { ...draft.offer, price: next } })
  return (
    <>
      {meter === null ? null : (
        <div className="field">
          <span>Kind of price</span>
          <Choice
            label="Kind of price"
            options={kindWords}
            value={price.kind}
            onChoose={(kind) => change(priceAs(kind, price))}
          />
        </div>
      )}
      {price.kind === 'linear' ? (
        <TextField
          label={`Price in ${symbol} per ${unit}`}
          name="price"
          placeholder="0.42"
          value={price.price}
          onChange={(text) => change({ ...price, price: text })}
          told={told}
        />
      ) : null}
      {price.kind === 'tiered' ? (
        <Tiers price={price} onChange={change} told={told} symbol={symbol} unit={unit} />
      ) : null}
      {price.kind === 'plan' ? (
        <Plan
          price={price}
          onChange={change}
          told={told}
          symbol={symbol}
          unit={meter === null ? undefined : unit}
        />
      ) : null}
    </>
  )
}

interface Of<Price> {
  price: Price
  onChange: (price: Price) => void
  told: Told
  symbol: string
}

const Tiers = ({
  price,
  onChange,
  told,
  symbol,
  unit,
}: Of<Extract<OfferPrice, { kind: 'tiered' }>> & { unit: string }) => {
  const { tiers } = price
  const withTier = (index: number, change: Partial<(typeof tiers)[number]>) =>
    onChange({
      ...price,
      tiers: tiers.map((tier, at) => (at === index ? { ...tier, ...change } : tier)),
    })
  return (
    <>
      {tiers.map((tier, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a tier is its place among the others.
        <div className="field-row" key={index}>
          <TextField
            label={`Tier ${index + 1}, up to ${unit}`}
            name={`upTo${index}`}
            value={tier.upTo}
            onChange={(upTo) => withTier(index, { upTo })}
            told={told}
          />
          <TextField
            label={`at ${symbol} per ${unit}`}
            name={`tier${index}`}
            value={tier.price}
            onChange={(text) => withTier(index, { price: text })}
            told={told}
          />
        </div>
      ))}
      <TextField
        label={`Above that, ${symbol} per ${unit}`}
        name="above"
        value={price.above}
        onChange={(above) => onChange({ ...price, above })}
        told={told}
      />
      {told.problems.price ? <p className="field-problem">{told.problems.price}</p> : null}
      <div className="choices">
        <button
          type="button"
          className="button button-quiet"
          onClick={() => onChange({ ...price, tiers: [...tiers, { upTo: '', price: '' }] })}
        >
          One more tier
        </button>
        {tiers.length > 1 ? (
          <button
            type="button"
            className="button button-quiet"
            onClick={() => onChange({ ...price, tiers: tiers.slice(0, -1) })}
          >
            One fewer
          </button>
        ) : null}
      </div>
    </>
  )
}

const feeSpans = [
  ['hour', 3_600],
  ['day', 86_400],
  ['30 days', 30 * 86_400],
  ['365 days', 365 * 86_400],
] as const

const Plan = ({
  price,
  onChange,
  told,
  symbol,
  unit,
}: Of<Extract<OfferPrice, { kind: 'plan' }>> & { unit: string | undefined }) => (
  <>
    {unit === undefined ? null : (
      <TextField
        label={`Price in ${symbol} per ${unit}`}
        name="price"
        value={price.price}
        placeholder="0"
        onChange={(text) => onChange({ ...price, price: text })}
        told={told}
      />
    )}
    <div className="field-row">
      <TextField
        label={`Fee in ${symbol}`}
        name="fee"
        value={price.fee}
        placeholder="0"
        onChange={(fee) => onChange({ ...price, fee })}
        told={told}
      />
      <PickField
        label="for each"
        name="feeSeconds"
        value={String(price.feeSeconds)}
        onChange={(seconds) => onChange({ ...price, feeSeconds: Number(seconds) })}
        told={told}
        hint="Charged by the second."
      >
        {feeSpans.map(([words, seconds]) => (
          <option key={words} value={seconds}>
            {words}
          </option>
        ))}
      </PickField>
    </div>
    <div className="field-row">
      <TextField
        label={`At least, ${symbol} a period`}
        name="minimum"
        value={price.minimum}
        placeholder="0"
        onChange={(minimum) => onChange({ ...price, minimum })}
        told={told}
      />
      <TextField
        label={`At most, ${symbol} a period`}
        name="maximum"
        value={price.maximum}
        placeholder="no limit but the cap"
        onChange={(maximum) => onChange({ ...price, maximum })}
        told={told}
      />
    </div>
    {unit === undefined && told.problems.price ? (
      <p className="field-problem">{told.problems.price}</p>
    ) : null}
  </>
)
