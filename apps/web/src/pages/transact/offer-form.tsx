import {
  type Hex,
  type Offer,
  type OfferProblems,
  pricedUnit,
  readOffer,
  suggestPerHour,
} from '@liquefy/client'
import { MAX_OPEN_DAYS, parseDecimal, type Terms, ZERO_DIGEST } from '@liquefy/protocol'
import { useRef, useState } from 'react'
import { node } from '../../api.ts'
import { failureWords } from '../../failures/failure-words.ts'
import { useDeployment, useMachines, useSample } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { TextField, type Told } from '../../ui/fields.tsx'
import { nameOf } from '../../ui/format.ts'
import { Card } from '../../ui/parts.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { ExampleBill } from './example-bill.tsx'
import { MeterFields } from './meter-fields.tsx'
import { type OfferDraft, offerOf, problemList } from './offer-draft.ts'
import { PartyFields } from './party-fields.tsx'
import { PriceFields } from './price-fields.tsx'
import { TermsInWords } from './terms-in-words.tsx'
import { useExplaining } from './use-explained.ts'
import './offers.css'

const daySeconds = 86_400
const isDays = (days: number) => Number.isSafeInteger(days) && days > 0 && days <= MAX_OPEN_DAYS

/** What an offer answers: its id, and terms of which the new ones keep start and beginning. */
export interface Answered {
  proposalId: Hex
  terms: Terms
}

/** Writes an offer, shows at once what it says and costs, and proposes it. */
export const OfferForm = ({
  me,
  initial,
  answered,
  onProposed,
}: {
  me: Hex
  initial: OfferDraft
  answered: Answered | undefined
  onProposed: (proposalId: Hex) => void
}) => {
  const deployment = useDeployment().data
  const [draft, setDraft] = useState(initial)
  const [tried, setTried] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const suggested = useSuggestedRate(draft)
  const offer = withRate(offerOf(draft, me), suggested?.perHour)
  const openDays = isDays(draft.openDays) ? draft.openDays : 1
  const openBySeconds = BigInt(Math.floor(Date.now() / 1000) + openDays * daySeconds)
  const startSeconds = answered?.terms.start ?? BigInt(Math.floor(Date.now() / 1000))
  const preview = deployment
    ? readOffer(offer, {
        deployment,
        startSeconds,
        openBySeconds,
        startHead: ZERO_DIGEST,
        salt: ZERO_DIGEST,
      })
    : undefined
  const problems: OfferProblems = {
    ...(preview && !preview.ok ? preview.problems : {}),
    ...fundProblem(draft.fund, deployment?.asset.decimals ?? 0),
    ...(isDays(draft.openDays)
      ? {}
      : { openDays: `It must be a whole number from 1 to ${MAX_OPEN_DAYS}.` }),
  }
  const told: Told = { problems, tried }
  const step = useStep(
    async (wallets, say) => {
      if (!deployment) throw new Error('The node has not answered yet: try again.')
      const read = readOffer(offer, {
        deployment,
        startSeconds,
        openBySeconds,
        startHead: await headOf(offer, answered?.terms),
        salt: randomSalt(),
      })
      if (!read.ok) throw new Error(Object.values(read.problems)[0])
      const { proposeTerms } = await import('../../wallet/proposing.ts')
      const proposalId = await proposeTerms(
        wallets,
        {
          terms: read.terms,
          rules: read.draft.meters.map(({ rule }) => rule),
          fundMinor: parseDecimal(draft.fund.trim(), deployment.asset.decimals),
          message: draft.message.trim(),
          replaces: answered?.proposalId,
        },
        say,
      )
      onProposed(proposalId)
      return proposalId
    },
    () => 'Proposed.',
  )
  const submit = () => {
    setTried(true)
    if (Object.keys(problems).length === 0) step.start()
    // Once the problems are shown, the first of them is where one goes on.
    else requestAnimationFrame(() => firstProblem(form.current)?.focus())
  }
  const fields = { draft, onChange: setDraft, told }
  const other = draft.other === '' ? 'the other party' : nameOf(deployment, draft.other)
  return (
    <div className="offer">
      <form
        ref={form}
        className="offer-form"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
      >
        <Card title="Who, and which machine">
          <div className="form form-wide">
            <PartyFields me={me} isAnswer={answered !== undefined} {...fields} />
          </div>
        </Card>
        <Card title="What is counted">
          <div className="form form-wide">
            {draft.offer.machineId === '' ? (
              <p className="note">Choose a machine first.</p>
            ) : (
              <MeterFields machineId={draft.offer.machineId} {...fields} />
            )}
          </div>
        </Card>
        <Card title="What it costs">
          <div className="form form-wide">
            {draft.offer.meter?.stream === '' ? (
              <p className="note">Choose what is metered first.</p>
            ) : (
              <PriceFields {...fields} />
            )}
            <PeriodFields {...fields} suggested={suggested} />
          </div>
        </Card>
        <Card title="Propose it">
          <div className="form form-wide">
            <label className="field">
              <span>A word to {other} (may be empty)</span>
              <textarea
                rows={2}
                maxLength={500}
                value={draft.message}
                onChange={({ target }) => setDraft({ ...draft, message: target.value })}
              />
            </label>
            <button type="submit" className="button" disabled={step.isBlocked}>
              Sign and propose
            </button>
            {tried && Object.keys(problems).length > 0 ? (
              <p className="problem-words" role="alert">
                Not proposed yet. {problemList(problems)[0]}
              </p>
            ) : null}
            {step.words}
            <p className="note">
              Only {other} and you see it. Accepting opens it on the ledger with your signature, so
              that neither of you has to ask the other again.
            </p>
          </div>
        </Card>
      </form>
      <aside className="card offer-aside" aria-label="What this offer says">
        <Preview preview={preview} offer={offer} />
      </aside>
    </div>
  )
}

const Preview = ({
  preview,
  offer,
}: {
  preview: ReturnType<typeof readOffer> | undefined
  offer: Offer
}) => {
  const explaining = useExplaining()
  const machine = useMachines().data?.find(({ machineId }) => machineId === offer.machineId)
  if (!preview?.ok || !explaining) {
    const missing = preview && !preview.ok ? problemList(preview.problems) : []
    return (
      <>
        <h2>In plain words</h2>
        <p className="note">
          {offer.machineId === ''
            ? 'What you write on the left appears here as sentences and as an example bill.'
            : 'Sentences and an example bill appear here once this is mended:'}
        </p>
        {offer.machineId === '' ? null : (
          <ul className="terms-in-words note">
            {missing.map((words) => (
              <li key={words}>{words}</li>
            ))}
          </ul>
        )}
      </>
    )
  }
  const rules = preview.draft.meters.map(({ rule }) => rule)
  const explained = explaining(preview.terms, rules, machine)
  return (
    <>
      <ExampleBill explained={explained} />
      <h2>In plain words</h2>
      <TermsInWords explained={explained} />
    </>
  )
}

const periodWords = [
  { words: '1 day', value: 86_400 },
  { words: '7 days', value: 7 * 86_400 },
  { words: '30 days', value: 30 * 86_400 },
]

const PeriodFields = ({
  draft,
  onChange,
  told,
  suggested,
}: {
  draft: OfferDraft
  onChange: (draft: OfferDraft) => void
  told: Told
  suggested: ReturnType<typeof suggestPerHour> | undefined
}) => {
  const symbol = useDeployment().data?.asset.symbol ?? ''
  const { offer } = draft
  const change = (part: Partial<OfferDraft['offer']>) =>
    onChange({ ...draft, offer: { ...offer, ...part } })
  const options = periodWords.some(({ value }) => value === offer.periodSeconds)
    ? periodWords
    : [...periodWords, { words: `${offer.periodSeconds} s`, value: offer.periodSeconds }]
  return (
    <>
      <div className="field">
        <span>Billed by periods of</span>
        <Choice
          label="Length of a period"
          options={options}
          value={offer.periodSeconds}
          onChoose={(periodSeconds) => change({ periodSeconds })}
        />
      </div>
      <div className="field-row">
        <TextField
          label={`A period costs at most, in ${symbol}`}
          name="cap"
          value={offer.cap}
          onChange={(cap) => change({ cap })}
          told={told}
          hint="The ledger never pays more for one period."
        />
        <TextField
          label={`First escrow, in ${symbol}`}
          name="fund"
          value={draft.fund}
          onChange={(fund) => onChange({ ...draft, fund })}
          told={told}
          hint="What the payer is asked to set aside at first. Payments come out of it."
        />
      </div>
      <details className="offer-details">
        <summary>Details for experts</summary>
        <div className="form form-wide">
          <Details draft={draft} onChange={onChange} told={told} suggested={suggested} />
        </div>
      </details>
    </>
  )
}

const Details = ({ draft, onChange, told, suggested }: Parameters<typeof PeriodFields>[0]) => {
  const { offer, openDays } = draft
  const { meter } = offer
  const change = (part: Partial<OfferDraft['offer']>) =>
    onChange({ ...draft, offer: { ...offer, ...part } })
  const unit = pricedUnit(meter)?.unit ?? ''
  return (
    <>
      {meter && suggested ? (
        <TextField
          label={`Most that is believed, in ${unit} an hour`}
          name="perHour"
          value={meter.perHour}
          placeholder={suggested.perHour}
          onChange={(perHour) => change({ meter: { ...meter, perHour } })}
          told={told}
          hint={`${
            suggested.isSeen
              ? `Empty: ${suggested.perHour}, four times the fastest of the last day, rounded up.`
              : `Empty: ${suggested.perHour}, as nothing was measured yet.`
          } What is faster is not billed, and a stolen key could take no more.`}
        />
      ) : null}
      {meter && (meter.measure === 'drawdown' || meter.measure === 'distance') ? (
        <TextField
          label={`Changes up to this are noise, in ${meter.measure === 'distance' ? 'm' : meter.unit}`}
          name="noise"
          value={meter.noise}
          onChange={(noise) => change({ meter: { ...meter, noise } })}
          told={told}
        />
      ) : null}
      <div className="field-row">
        <CountField
          label="Number of periods"
          name="periods"
          value={offer.periods}
          onChange={(periods) => change({ periods })}
          told={told}
        />
        <CountField
          label="Days that the offer stands"
          name="openDays"
          value={openDays}
          onChange={(days) => onChange({ ...draft, openDays: days })}
          told={told}
        />
      </div>
      <p className="note">
        Late evidence, silences and settlement keep their usual times; the sentences beside say
        which.
      </p>
    </>
  )
}

/** A whole number from 1. */
const CountField = ({
  label,
  name,
  value,
  onChange,
  told,
}: {
  label: string
  name: string
  value: number
  onChange: (value: number) => void
  told: Told
}) => (
  <TextField
    label={label}
    name={name}
    value={Number.isNaN(value) ? '' : String(value)}
    onChange={(text) => onChange(/^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN)}
    told={told}
  />
)

/** What is proposed where no rate was written: by what the stream showed during the last day. */
const useSuggestedRate = ({ offer: { machineId, meter } }: OfferDraft) => {
  const stream = machineId === '' || !meter || meter.stream === '' ? null : meter.stream
  const [series] = useSample(machineId, stream).data ?? []
  const unit = pricedUnit(meter)
  if (!meter || !unit || meter.measure === 'duration-beyond') return undefined
  return suggestPerHour(meter, unit.per, series)
}

const withRate = (offer: Offer, perHour: string | undefined): Offer =>
  offer.meter && offer.meter.perHour === '' && perHour !== undefined
    ? { ...offer, meter: { ...offer.meter, perHour } }
    : offer

const fundProblem = (text: string, decimals: number): OfferProblems => {
  if (text.trim() === '') return { fund: 'Write a number here; 0 asks for nothing.' }
  try {
    return parseDecimal(text.trim(), decimals) < 0n ? { fund: 'It must not be below zero.' } : {}
  } catch (error) {
    return { fund: failureWords(error) }
  }
}

/** Where the stream stands now: what was sent before is not metered. A counter-offer begins where the offer did. */
const headOf = async ({ machineId, meter }: Offer, answered?: Terms): Promise<Hex> => {
  if (!meter) return ZERO_DIGEST
  const [first] = answered?.meters ?? []
  if (answered && first?.stream === meter.stream && String(answered.machineId) === machineId) {
    return first.startHead
  }
  const [newest] = await node.envelopes(machineId, { stream: meter.stream, limit: 1 })
  return newest?.digest ?? ZERO_DIGEST
}

const randomSalt = (): Hex => {
  const bytes = crypto.getRandomValues(new Uint8Array(32))
  return `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

const firstProblem = (form: HTMLFormElement | null) =>
  form?.querySelector<HTMLElement>('[aria-invalid="true"]')
