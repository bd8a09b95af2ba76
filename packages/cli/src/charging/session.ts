import { roundHalfEven } from '@liquefy/protocol'
import { londonMoments } from '../london-time.ts'
import { siteOf } from './sites.ts'

/** One charging session, in the units that are billed; from `startMs` to before `endMs`, whole minutes. */
export interface Session {
  /** Number of the row in the file, from 1: breaks ties. */
  row: number
  chargePoint: string
  connector: string
  site: string
  startMs: number
  endMs: number
  energyWh: bigint
}

/** Why a row is not billed. */
export type SessionQuarantineCode =
  | 'ROW_MALFORMED'
  | 'FIELD_MISSING'
  | 'END_MISSING'
  | 'ENERGY_MISSING'
  | 'ENERGY_NEGATIVE'
  | 'NUMBER_INVALID'
  | 'TIME_INVALID'
  | 'END_BEFORE_START'
  | 'CHARGE_POINT_UNKNOWN'
  | 'CONNECTOR_UNKNOWN'
  | 'SITE_UNKNOWN'
  | 'IMPLAUSIBLE'
  | 'DUPLICATE_ID'
  | 'OVERLAP'

/** What each code means, for people. */
export const SESSION_QUARANTINE_WORDS: Readonly<Record<SessionQuarantineCode, string>> = {
  ROW_MALFORMED: 'another number of fields than the heading',
  FIELD_MISSING: 'a field that is needed is empty',
  END_MISSING: 'the session has no end',
  ENERGY_MISSING: 'the session has no energy',
  ENERGY_NEGATIVE: 'the energy is negative',
  NUMBER_INVALID: 'the energy is no number of kWh',
  TIME_INVALID: 'a local time cannot be read, or never was',
  END_BEFORE_START: 'the session ends before it starts',
  CHARGE_POINT_UNKNOWN: 'the declared table has no such charge point',
  CONNECTOR_UNKNOWN: 'a charge point has connectors 1 to 3',
  SITE_UNKNOWN: 'the row names another site than the declared table has for the charge point',
  IMPLAUSIBLE: 'more energy than a session can have, or longer than a hundred days',
  DUPLICATE_ID: 'the session was in an earlier row already',
  OVERLAP: 'another session was on the same connector at that time, and began first',
}

/** Declared transformations: nothing else is changed. */
export const TRANSFORMATIONS = [
  /** Dates whose day and month were put the right way round, two a row at most. */
  'DATE_DAY_MONTH_SWAPPED',
  /** Energies that were rounded half-even to whole watt hours. */
  'ROUNDED_TO_UNIT',
  /** Rows that name their site by a declared spelling. */
  'SITE_BY_TABLE',
  /** Rows that name the operator's test site; the charge point's site pays. */
  'TEST_SITE_BY_TABLE',
] as const

export type SessionTransformations = Record<(typeof TRANSFORMATIONS)[number], number>

type Refused = { ok: false; code: SessionQuarantineCode }

export type ReadSession =
  | { ok: true; session: Session; transformed: SessionTransformations }
  | Refused

/** Columns that a file must have. */
const NEEDED = [
  '_id',
  'CP ID',
  'Connector',
  'Start Date',
  'Start Time',
  'End Date',
  'End Time',
  'Total kWh',
  'Site',
] as const

/** Columns of the import profile. */
export const SESSION_COLUMNS = { needed: NEEDED, unused: ['Model'] } as const

export type SessionFields = Record<(typeof NEEDED)[number], string>

export const CONNECTORS: readonly string[] = ['1', '2', '3']

/** The most that one session can be: beyond it the meter rule would not believe the counter either. */
export const MOST_SESSION = { energyWh: 500_000n, durationMs: 100 * 24 * 3_600_000 } as const

/** Watt hours of what the file gives in kWh. */
const WH_DECIMALS = 3
const ENERGY = /^-?\d{1,6}(\.\d{1,30})?$/
const DATE = /^(\d{4})-(\d{2})-(\d{2})T00:00:00$/
const TIME = /^\d{2}:\d{2}$/
/** Days up to here can be taken for months, and were. */
const SWAPPED_UP_TO = 12

/** Reads one row: exact watt hours and UTC, or the code by which it is quarantined. */
export function readSession(fields: SessionFields, row: number): ReadSession {
  const missing = missingIn(fields)
  if (missing) return refuse(missing)
  const energy = readEnergy(fields['Total kWh'])
  if (!energy.ok) return energy
  const time = readTime(fields)
  if (!time.ok) return time
  const place = siteOf(fields['CP ID'], fields.Site)
  if (!place.ok) return place
  if (!CONNECTORS.includes(fields.Connector)) return refuse('CONNECTOR_UNKNOWN')
  const { startMs, endMs } = time
  const isTooLong = endMs - startMs > MOST_SESSION.durationMs
  if (energy.wh > MOST_SESSION.energyWh || isTooLong) return refuse('IMPLAUSIBLE')
  return {
    ok: true,
    session: {
      row,
      chargePoint: fields['CP ID'],
      connector: fields.Connector,
      site: place.site,
      startMs,
      endMs,
      energyWh: energy.wh,
    },
    transformed: {
      DATE_DAY_MONTH_SWAPPED: time.swapped,
      ROUNDED_TO_UNIT: Number(energy.rounded),
      SITE_BY_TABLE: Number(place.named === 'by a spelling'),
      TEST_SITE_BY_TABLE: Number(place.named === 'as a test site'),
    },
  }
}

function missingIn(fields: SessionFields): SessionQuarantineCode | undefined {
  const empty = NEEDED.filter((name) => fields[name].trim() === '')
  if (empty.length === 0) return undefined
  const onlyThese = (...names: string[]) => empty.every((name) => names.includes(name))
  if (onlyThese('Total kWh')) return 'ENERGY_MISSING'
  return onlyThese('End Date', 'End Time', 'Total kWh') ? 'END_MISSING' : 'FIELD_MISSING'
}

function readEnergy(kWh: string): { ok: true; wh: bigint; rounded: boolean } | Refused {
  if (!ENERGY.test(kWh)) return refuse('NUMBER_INVALID')
  if (kWh.startsWith('-')) return refuse('ENERGY_NEGATIVE')
  const { value, rounded } = roundHalfEven(kWh, WH_DECIMALS)
  return { ok: true, wh: value, rounded }
}

function readTime(
  fields: SessionFields,
): { ok: true; startMs: number; endMs: number; swapped: number } | Refused {
  const start = readMoment(fields['Start Date'], fields['Start Time'])
  const end = readMoment(fields['End Date'], fields['End Time'])
  if (!start || !end) return refuse('TIME_INVALID')
  if (end.timeMs < start.timeMs) return refuse('END_BEFORE_START')
  const swapped = Number(start.swapped) + Number(end.swapped)
  return { ok: true, startMs: start.timeMs, endMs: end.timeMs, swapped }
}

/**
 * A local date and time of Europe/London as a moment. The declared transformation `DATE_DAY_MONTH_SWAPPED` is undone: the public files
 * have day and month the wrong way round wherever the day is 12 or less. `swapped` says that it changed the date. Of an hour that
 * comes twice the first is meant.
 */
function readMoment(date: string, time: string): { timeMs: number; swapped: boolean } | undefined {
  const [, year, month, day] = DATE.exec(date) ?? []
  if (year === undefined || month === undefined || day === undefined || !TIME.test(time)) {
    return undefined
  }
  const isSwapped = Number(day) <= SWAPPED_UP_TO
  const trueDate = isSwapped ? `${year}-${day}-${month}` : `${year}-${month}-${day}`
  const [timeMs] = londonMoments(`${trueDate}T${time}:00`)
  return timeMs === undefined ? undefined : { timeMs, swapped: isSwapped && day !== month }
}

function refuse(code: SessionQuarantineCode): Refused {
  return { ok: false, code }
}
