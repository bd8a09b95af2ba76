import './calendar.css'
import type { CalendarWeek, MachineCalendar } from '@liquefy/client'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useCalendar, useMachine, useRights } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { ChosenHours } from './chosen-hours.tsx'
import { hourName, hoursShown } from './hour-states.ts'
import { MyRights } from './my-rights.tsx'
import { BeginCalendar, OfferHours } from './owner-hours.tsx'
import { useSelection } from './use-selection.ts'
import { WeekGrid } from './week-grid.tsx'

const route = getRouteApi('/machines/$machineId/calendar')

/** The hours of a machine: who holds which, and buying, booking, giving back and lending them. */
export const CalendarPage = () => {
  const { machineId } = route.useParams()
  const { week } = route.useSearch()
  const calendar = useCalendar(machineId, week)
  const name = useMachine(machineId).data?.name ?? `machine ${machineId}`
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/machines">Machines</Link> /{' '}
          <Link to="/machines/$machineId" params={{ machineId }}>
            {name}
          </Link>{' '}
          / calendar
        </p>
        <h1>Hours of {name}</h1>
      </section>
      <Loaded query={calendar} what="its calendar">
        {(loaded) => {
          const [shown] = loaded.weeks
          return loaded.zone !== null && shown ? (
            <Week key={shown.week} calendar={loaded} zone={loaded.zone} week={shown} />
          ) : (
            <NoCalendar calendar={loaded} />
          )
        }}
      </Loaded>
    </>
  )
}

const NoCalendar = ({ calendar: { machineId, owner } }: { calendar: MachineCalendar }) => {
  const isOwner = useSession()?.address === owner.toLowerCase()
  return (
    <Card>
      <Empty title="No calendar yet">
        Its owner begins one by saying in which time zone its weeks are. Then hours can be held,
        sold and lent.
      </Empty>
      {isOwner ? <BeginCalendar machineId={machineId} /> : null}
    </Card>
  )
}

const Week = ({
  calendar,
  zone,
  week,
}: {
  calendar: MachineCalendar
  zone: string
  week: CalendarWeek
}) => {
  const me = useSession()?.address
  const mine = useRights(me).data ?? []
  const shown = hoursShown(zone, week, calendar.offer, me, Date.now())
  const selection = useSelection(shown)
  const rights = mine.filter(
    ({ machineId, firstWeek, weeksCount }) =>
      machineId === calendar.machineId && firstWeek + weeksCount > (calendar.thisWeek ?? 0),
  )
  return (
    <div className="calendar">
      <Card>
        <WeekBar calendar={calendar} week={week} />
        <ClockChange zone={zone} week={week} />
        <WeekGrid week={week} shown={shown} selection={selection} />
        <Legend />
        <p className="note">Hours as a clock on the wall in {zone} reads them.</p>
      </Card>
      <div className="calendar-side">
        <ChosenHours
          calendar={calendar}
          week={week}
          shown={shown}
          selection={selection}
          rights={rights}
        />
        {me === undefined ? null : <MyRights rights={rights} />}
        {me === calendar.owner.toLowerCase() ? (
          <OfferHours calendar={calendar} selection={selection} />
        ) : null}
      </div>
    </div>
  )
}

const weekOf = new Intl.DateTimeFormat(undefined, { timeZone: 'UTC', dateStyle: 'long' })

const WeekBar = ({
  calendar: { machineId, thisWeek },
  week,
}: {
  calendar: MachineCalendar
  week: CalendarWeek
}) => {
  const to = (other: number | undefined) => ({
    to: '/machines/$machineId/calendar' as const,
    params: { machineId },
    search: other === undefined ? {} : { week: other },
  })
  return (
    <div className="week-bar">
      <h2>Week of {weekOf.format(Date.parse(week.monday))}</h2>
      <Link className="button button-quiet" {...to(week.week - 1)}>
        Earlier
      </Link>
      {week.week === thisWeek ? null : (
        <Link className="button button-quiet" {...to(undefined)}>
          This week
        </Link>
      )}
      <Link className="button button-quiet" {...to(week.week + 1)}>
        Later
      </Link>
    </div>
  )
}

/** Hours that do not last an hour, in words. */
const ClockChange = ({ zone, week }: { zone: string; week: CalendarWeek }) => {
  if (week.oddHours.length === 0) return null
  const words = week.oddHours.map(({ hour, seconds }) =>
    seconds === 0
      ? `${hourName(hour)} does not exist`
      : `${hourName(hour)} lasts ${seconds / 3_600} hours`,
  )
  return (
    <p className="note">
      The clock of {zone} changes this week: {words.join('; ')}. The week has {week.seconds / 3_600}{' '}
      hours.
    </p>
  )
}

const Legend = () => (
  <ul className="legend">
    <li>
      <span className="hour hour-sale" /> on sale
    </li>
    <li>
      <span className="hour hour-free" /> free
    </li>
    <li>
      <span className="hour hour-mine" /> mine
    </li>
    <li>
      <span className="hour hour-taken" /> others’
    </li>
    <li>
      <span className="hour hour-over" /> over
    </li>
  </ul>
)
