import type { MachineCalendar } from '@liquefy/client'
import { ALL_HOURS, hoursText, isTimeZone, mondayOf } from '@liquefy/protocol'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { anyAmountIn } from '../../ui/amount.ts'
import { Money } from '../../ui/money.tsx'
import { Card } from '../../ui/parts.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import type { Selection } from './use-selection.ts'

const yearWeeks = 52

/** For the machine's owner: begins its calendar. */
export const BeginCalendar = ({ machineId }: { machineId: string }) => {
  const [zone, setZone] = useState(() => Intl.DateTimeFormat().resolvedOptions().timeZone)
  const step = useStep(async (wallets) => {
    const { beginCalendar } = await import('../../wallet/hours.ts')
    await beginCalendar(wallets, { machineId, zone })
    return `Its weeks are those of ${zone}.`
  }, asItIs)
  return (
    <StepForm step={step}>
      <label className="field">
        <span>Time zone of its weeks</span>
        <input
          autoComplete="off"
          value={zone}
          placeholder="Europe/Berlin"
          onChange={({ target }) => setZone(target.value)}
        />
      </label>
      <button type="submit" className="button" disabled={!isTimeZone(zone) || step.isBlocked}>
        Begin the calendar
      </button>
    </StepForm>
  )
}

/** For the machine's owner: what is on sale. The chosen hours, or all. */
export const OfferHours = ({
  calendar: { machineId, offer, thisWeek },
  selection: { kind, bits },
}: {
  calendar: MachineCalendar
  selection: Selection
}) => {
  const asset = useDeployment().data?.asset
  const [text, setText] = useState('')
  const price = anyAmountIn(text, asset?.decimals ?? 0)
  const openBits = kind === 'free' ? bits : ALL_HOURS
  const untilWeek = (thisWeek ?? 0) + yearWeeks
  const step = useStep(async (wallets) => {
    if (typeof price !== 'bigint') throw new Error(price)
    const { putOnSale } = await import('../../wallet/hours.ts')
    await putOnSale(wallets, { machineId, pricePerHourMinor: price, openBits, untilWeek })
    setText('')
    return price === 0n ? 'Nothing is on sale any more.' : 'On sale.'
  }, asItIs)
  return (
    <Card title="On sale">
      {offer === null ? (
        <p className="note">Nothing is on sale. What you put on sale, anybody can buy at once.</p>
      ) : (
        <p>
          {hoursText(BigInt(offer.openBits))}, <Money minor={offer.pricePerHourMinor} /> an hour,
          until {mondayOf(offer.untilWeek)}
        </p>
      )}
      <StepForm step={step}>
        <label className="field">
          <span>An hour costs, in {asset?.symbol} (0: nothing is on sale)</span>
          <input
            inputMode="decimal"
            autoComplete="off"
            value={text}
            placeholder="12.00"
            onChange={({ target }) => setText(target.value)}
          />
        </label>
        <p className="note">
          Puts on sale: {hoursText(openBits)}. Choose hours in the calendar to offer only those.
        </p>
        <button
          type="submit"
          className="button"
          disabled={typeof price !== 'bigint' || step.isBlocked}
        >
          Put on sale for a year
        </button>
      </StepForm>
    </Card>
  )
}

const asItIs = (words: string) => words
