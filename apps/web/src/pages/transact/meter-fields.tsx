import { type Machine, type Measure, type OfferMeter, usualMeasure } from '@liquefy/client'
import { useState } from 'react'
import { useMachine } from '../../queries.ts'
import { PickField, TextField, type Told } from '../../ui/fields.tsx'
import type { OfferDraft } from './offer-draft.ts'
import { emptyMeter, measureWords, priceAs } from './offer-draft.ts'
import { StreamFields } from './stream-fields.tsx'

/** No stream is called so. */
const timeAlone = ' time'
const written = ' written'

interface Props {
  draft: OfferDraft
  onChange: (draft: OfferDraft) => void
  told: Told
}

/** Which stream is counted, and how; after a machine was chosen. */
export const MeterFields = ({ machineId, ...props }: Props & { machineId: string }) => {
  const machine = useMachine(machineId).data
  if (!machine) return <p className="note">Looking what it measures…</p>
  return <Streams key={machineId} {...props} machine={machine} />
}

const Streams = ({ draft, onChange, told, machine }: Props & { machine: Machine }) => {
  const { meter } = draft.offer
  const known = machine.streams.find(({ stream }) => stream === meter?.stream)
  const [writes, setWrites] = useState(meter !== null && meter.stream !== '' && !known)
  const change = (next: OfferMeter | null) =>
    onChange({ ...draft, offer: { ...draft.offer, meter: next } })
  const choose = (value: string) => {
    setWrites(value === written)
    if (value === timeAlone) {
      const price = priceAs('plan', draft.offer.price)
      onChange({ ...draft, offer: { ...draft.offer, meter: null, price } })
      return
    }
    const unit = machine.streams.find(({ stream }) => stream === value)?.unit ?? ''
    const stream = value === written ? 'volume' : value
    change({ ...emptyMeter, stream, unit, measure: usualMeasure(unit) })
  }
  return (
    <>
      <PickField
        label="What is metered"
        name="stream"
        value={meter === null ? timeAlone : writes ? written : meter.stream}
        onChange={choose}
        told={told}
        hint={
          known?.metered
            ? 'Another open agreement bills this stream already: unless both share it, the node refuses the proposal until that one is closed.'
            : undefined
        }
      >
        <option value="">Choose a stream…</option>
        {machine.streams.map(({ stream, unit, metered }) => (
          <option key={stream} value={stream}>
            {stream}
            {unit === null ? '' : `, in ${unit}`}
            {metered ? ' (billed already)' : ''}
          </option>
        ))}
        <option value={written}>A stream that it has not sent yet</option>
        <option value={timeAlone}>Nothing: time alone counts</option>
      </PickField>
      {meter && (writes || known?.unit === null) ? (
        <StreamFields stream={meter} onChange={change} told={told} />
      ) : null}
      {meter && meter.stream !== '' ? (
        <Measured meter={meter} onChange={change} told={told} />
      ) : null}
    </>
  )
}

interface MeterProps {
  meter: OfferMeter
  onChange: (meter: OfferMeter) => void
  told: Told
}

const Measured = ({ meter, onChange, told }: MeterProps) => {
  const { measure, unit } = meter
  return (
    <>
      <PickField
        label="What counts"
        name="meter"
        value={measure}
        onChange={(next) => onChange({ ...meter, measure: next as Measure })}
        told={told}
      >
        {Object.entries(measureWords)
          .filter(([each]) => (each === 'distance') === (unit === 'lat' || unit === 'lon'))
          .map(([each, words]) => (
            <option key={each} value={each}>
              {words}
            </option>
          ))}
      </PickField>
      {measure === 'duration-beyond' ? (
        <div className="field-row">
          <PickField
            label="Time counts while it is"
            name="beyond"
            value={meter.beyond}
            onChange={(beyond) =>
              onChange({ ...meter, beyond: beyond === 'above' ? 'above' : 'below' })
            }
            told={told}
          >
            <option value="above">above</option>
            <option value="below">below</option>
          </PickField>
          <TextField
            label={`Limit in ${unit}`}
            name="threshold"
            value={meter.threshold}
            placeholder="8"
            onChange={(threshold) => onChange({ ...meter, threshold })}
            told={told}
          />
        </div>
      ) : null}
      {measure === 'counter' || measure === 'drawdown' ? (
        <Calibration meter={meter} onChange={onChange} told={told} />
      ) : null}
    </>
  )
}

const Calibration = ({ meter, onChange, told }: MeterProps) => {
  const { amount = '', unit = '' } = meter.calibration ?? {}
  const [wasCalibrated] = useState(meter.calibration !== undefined)
  const change = (next: { amount: string; unit: string }) => {
    const { calibration: _, ...bare } = meter
    onChange(next.amount === '' && next.unit === '' ? bare : { ...bare, calibration: next })
  }
  return (
    <details className="offer-details" open={wasCalibrated}>
      <summary>Count it in another unit</summary>
      <div className="field-row">
        <TextField
          label={`One ${meter.unit} is worth`}
          name="calibration"
          value={amount}
          placeholder="1"
          onChange={(text) => change({ amount: text, unit })}
          told={told}
        />
        <TextField
          label="of the unit"
          name="calibration-unit"
          decimal={false}
          value={unit}
          placeholder={meter.unit}
          onChange={(text) => change({ amount, unit: text.trim() })}
          told={told}
          hint="Such as 23.5 kg for one mm of a level. Empty: it is counted as it is read."
        />
      </div>
    </details>
  )
}
