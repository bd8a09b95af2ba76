import type { CalendarWeek, MachineCalendar, UsageRightView } from '@liquefy/client'
import {
  bitsFromHex,
  bitsOfHours,
  countHours,
  hoursOfBits,
  hoursText,
  MAX_RIGHT_WEEKS,
  rightText,
} from '@liquefy/protocol'
import { useState } from 'react'
import { useSession } from '../../session/use-session.ts'
import { countOf } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card } from '../../ui/parts.tsx'
import type { HoursOfWeek } from '../../wallet/hours.ts'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import type { ShownHour } from './hour-states.ts'
import type { Selection } from './use-selection.ts'

/** What can be done with the hours that are chosen, and what it costs. */
export const ChosenHours = ({
  calendar,
  week,
  shown,
  selection,
  rights,
}: {
  calendar: MachineCalendar
  week: CalendarWeek
  shown: readonly ShownHour[]
  selection: Selection
  rights: readonly UsageRightView[]
}) => {
  const me = useSession()?.address
  const { kind, bits, hours } = selection
  return (
    <Card title="Chosen hours">
      {kind === undefined ? (
        <p className="note">
          Drag over free hours to buy or book them, or tap them one by one. By keyboard: arrows,
          space, and shift with arrows.
        </p>
      ) : (
        <>
          <p>
            {hoursText(bits)} <span className="note">({countOf(hours.size, 'hour')} a week)</span>
          </p>
          {me === undefined ? (
            <p className="note">Sign in to buy or book them.</p>
          ) : kind === 'mine' ? (
            <GiveBack week={week} shown={shown} selection={selection} />
          ) : (
            <>
              <Buy calendar={calendar} week={week} selection={selection} />
              <Book week={week} selection={selection} rights={rights} />
            </>
          )}
          <button type="button" className="button button-quiet" onClick={selection.clear}>
            Choose none
          </button>
        </>
      )}
    </Card>
  )
}

const Buy = ({
  calendar: { machineId, offer },
  week,
  selection: { bits, clear },
}: {
  calendar: MachineCalendar
  week: CalendarWeek
  selection: Selection
}) => {
  const [text, setText] = useState('1')
  const weeksCount = /^\d{1,2}$/.test(text) ? Number(text) : 0
  const right = { firstWeek: week.week, weeksCount, bits, hoursPerWeek: 0 }
  const most = Math.min(MAX_RIGHT_WEEKS, (offer?.untilWeek ?? 0) - week.week)
  const total = BigInt(offer?.pricePerHourMinor ?? 0) * BigInt(countHours(bits) * weeksCount)
  const step = useStep(async (wallets, say) => {
    if (!offer) throw new Error('Nothing is on sale.')
    const { buyHours } = await import('../../wallet/hours.ts')
    const order = { machineId, hours: right, asset: offer.asset, totalMinor: total }
    const rightId = await buyHours(wallets, order, say)
    clear()
    return `Right ${rightId} is yours: ${rightText(right)}.`
  }, asItIs)
  if (!offer || (bits & ~BigInt(offer.openBits)) !== 0n) {
    return <p className="note">Not all of these hours are on sale.</p>
  }
  const isGood = weeksCount >= 1 && weeksCount <= most
  return (
    <StepForm step={step}>
      <label className="field">
        <span>Every week, so many weeks</span>
        <input
          inputMode="numeric"
          autoComplete="off"
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      {isGood ? (
        <p>
          {rightText(right)}: <Money minor={String(total)} />{' '}
          <span className="note">
            (<Money minor={offer.pricePerHourMinor} /> an hour)
          </span>
        </p>
      ) : (
        <p className="note">They are on sale for 1 to {Math.max(most, 0)} weeks from here.</p>
      )}
      <button type="submit" className="button" disabled={!isGood || step.isBlocked}>
        Buy these hours
      </button>
    </StepForm>
  )
}

/** Hours of a week that a quota has left. */
const leftOf = ({ hoursPerWeek, changes }: UsageRightView, week: number): number => {
  const booked = changes.find((change) => change.week === week)
  return hoursPerWeek - countHours(bitsFromHex(booked?.bits) ?? 0n)
}

const Book = ({
  week: { week },
  selection: { bits, clear },
  rights,
}: {
  week: CalendarWeek
  selection: Selection
  rights: readonly UsageRightView[]
}) => {
  const quota = rights.find(
    (right) =>
      right.firstWeek <= week &&
      week < right.firstWeek + right.weeksCount &&
      leftOf(right, week) >= countHours(bits),
  )
  const step = useStep(async (wallets) => {
    if (!quota) throw new Error('None of your rights has so many hours left this week.')
    const { bookByQuota } = await import('../../wallet/hours.ts')
    await bookByQuota(wallets, { rightId: quota.rightId, week, bits })
    clear()
    return `Booked by right ${quota.rightId}.`
  }, asItIs)
  if (!quota) return step.words
  return (
    <div className="form">
      <p className="note">
        Right {quota.rightId} has {countOf(leftOf(quota, week), 'hour')} left this week.
      </p>
      <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
        Book by right {quota.rightId}
      </button>
      {step.words}
    </div>
  )
}

/** The chosen hours by the rights that hold them. */
const byRight = (week: number, bits: bigint, shown: readonly ShownHour[]): HoursOfWeek[] => {
  const hours = new Map<string, number[]>()
  for (const hour of hoursOfBits(bits)) {
    const rightId = shown[hour]?.rightId
    if (rightId !== undefined) hours.set(rightId, [...(hours.get(rightId) ?? []), hour])
  }
  return [...hours].map(([rightId, list]) => ({ rightId, week, bits: bitsOfHours(list) }))
}

const GiveBack = ({
  week: { week },
  shown,
  selection: { bits, clear },
}: {
  week: CalendarWeek
  shown: readonly ShownHour[]
  selection: Selection
}) => {
  const step = useStep(async (wallets) => {
    const { giveBack } = await import('../../wallet/hours.ts')
    await giveBack(wallets, byRight(week, bits, shown))
    clear()
    return 'These hours are free for others.'
  }, asItIs)
  return (
    <div className="form">
      <p className="note">
        Given back a day before they begin, at the latest. Hours of a slot are gone for good, and
        nothing is paid back; booked hours can be booked anew.
      </p>
      <button type="button" className="button" disabled={step.isBlocked} onClick={step.start}>
        Give them back, this week only
      </button>
      {step.words}
    </div>
  )
}

const asItIs = (words: string) => words
