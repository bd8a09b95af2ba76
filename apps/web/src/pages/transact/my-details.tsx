import type { Hex, PartyDetails, VatTreatment } from '@liquefy/client'
import { COUNTRY_CODES } from '@liquefy/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { node } from '../../api.ts'
import { useMyDetails } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import './documents.css'

/** Who one is before the law, as it stands on the invoices that one sends and gets. */
export const MyDetailsPage = () => {
  const me = useSession()?.address
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/">Overview</Link> / my details
        </p>
        <h1>My details</h1>
        <p className="lead">
          They stand on the invoices of your agreements. Nobody else sees them: you, and who has an
          agreement with you.
        </p>
      </section>
      {me === undefined ? (
        <Empty title="Sign in first">
          Details belong to the account that you sign in with: the button stands at the top.
        </Empty>
      ) : (
        <Details key={me} me={me} />
      )}
    </>
  )
}

const Details = ({ me }: { me: Hex }) => (
  <Loaded query={useMyDetails(me)} what="your details">
    {(known) => <DetailsForm known={known} />}
  </Loaded>
)

/** What stands in the fields: text, empty where nothing is said. */
type Fields = Record<Exclude<keyof PartyDetails, 'vat'> | 'ratePercent' | 'reason', string> & {
  category: VatTreatment['category']
}

const fieldsOf = (known: PartyDetails | null): Fields => ({
  name: known?.name ?? '',
  street: known?.street ?? '',
  postcode: known?.postcode ?? '',
  city: known?.city ?? '',
  country: known?.country ?? '',
  vatId: known?.vatId ?? '',
  taxNumber: known?.taxNumber ?? '',
  registration: known?.registration ?? '',
  category: known?.vat.category ?? 'S',
  ratePercent: known?.vat.ratePercent ?? '',
  reason: known?.vat.reason ?? '',
})

const said = (text: string): string | null => (text.trim() === '' ? null : text.trim())

const detailsOf = (fields: Fields): PartyDetails => ({
  name: fields.name.trim(),
  street: fields.street.trim(),
  postcode: fields.postcode.trim(),
  city: fields.city.trim(),
  country: fields.country,
  vatId: said(fields.vatId),
  taxNumber: said(fields.taxNumber),
  registration: said(fields.registration),
  vat: {
    category: fields.category,
    ratePercent: hasRate(fields) ? said(fields.ratePercent) : null,
    reason: hasReason(fields) ? said(fields.reason) : null,
  },
})

const hasRate = ({ category }: Pick<Fields, 'category'>) => category === 'S'
const hasReason = ({ category }: Pick<Fields, 'category'>) => category === 'E' || category === 'O'

const CATEGORIES: Record<VatTreatment['category'], string> = {
  S: 'with VAT, included in the price',
  AE: 'reverse charge: the buyer owes the VAT',
  E: 'exempt from VAT',
  O: 'outside the scope of VAT',
}

const countries = () => {
  const names = new Intl.DisplayNames(undefined, { type: 'region' })
  return COUNTRY_CODES.map((code) => ({ code, name: names.of(code) ?? code })).sort((a, b) =>
    a.name.localeCompare(b.name),
  )
}

const DetailsForm = ({ known }: { known: PartyDetails | null }) => {
  const [fields, setFields] = useState(() => fieldsOf(known))
  const queries = useQueryClient()
  const keeping = useMutation({
    mutationFn: () => node.saveMyDetails(detailsOf(fields)),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['my-details'] }),
  })
  const change = (changed: Partial<Fields>) => {
    keeping.reset()
    setFields((before) => ({ ...before, ...changed }))
  }
  const text = (
    field: keyof Fields,
    label: string,
    more: { autoComplete?: string; placeholder?: string; required?: boolean } = {},
  ) => (
    <label className="field">
      <span>{label}</span>
      <input
        value={fields[field]}
        maxLength={120}
        autoComplete="off"
        onChange={({ target }) => change({ [field]: target.value })}
        {...more}
      />
    </label>
  )
  return (
    <Card>
      <form
        className="details-form"
        onSubmit={(event) => {
          event.preventDefault()
          keeping.mutate()
        }}
      >
        <fieldset>
          <legend>Who and where</legend>
          {text('name', 'Name', { autoComplete: 'organization', required: true })}
          {text('street', 'Street and number', { autoComplete: 'address-line1', required: true })}
          <div className="field-pair">
            {text('postcode', 'Postcode', { autoComplete: 'postal-code', required: true })}
            {text('city', 'City', { autoComplete: 'address-level2', required: true })}
          </div>
          <label className="field">
            <span>Country</span>
            <select
              required
              value={fields.country}
              autoComplete="country"
              onChange={({ target }) => change({ country: target.value })}
            >
              <option value="">choose one</option>
              {countries().map(({ code, name }) => (
                <option key={code} value={code}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        </fieldset>
        <fieldset>
          <legend>Registers</legend>
          <div className="field-halves">
            {text('vatId', 'VAT id', { placeholder: 'DE123456789' })}
            {text('taxNumber', 'Tax number, without a VAT id')}
          </div>
          {text('registration', 'Register of companies, if you are in one', {
            placeholder: 'HRB 12345',
          })}
        </fieldset>
        <fieldset>
          <legend>What you sell</legend>
          <label className="field">
            <span>VAT</span>
            <select
              value={fields.category}
              onChange={({ target }) =>
                change({ category: target.value as VatTreatment['category'] })
              }
            >
              {Object.entries(CATEGORIES).map(([category, words]) => (
                <option key={category} value={category}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          {hasRate(fields)
            ? text('ratePercent', 'Rate in percent', { placeholder: '19', required: true })
            : null}
          {hasReason(fields)
            ? text('reason', 'Reason, as it stands on the invoice', { required: true })
            : null}
        </fieldset>
        <div>
          <button type="submit" className="button" disabled={keeping.isPending}>
            Keep my details
          </button>
        </div>
        <div role="status">
          {keeping.isSuccess ? <p className="good-words">Kept.</p> : null}
          {keeping.isError ? <p className="problem-words">{keeping.error.message}</p> : null}
        </div>
      </form>
    </Card>
  )
}
