import { parseDecimal } from '@liquefy/protocol'
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
  NUMBER_INVALID: 'the energy is no number of kWh to three places',
  TIME_INVALID: 'a local time cannot be read, or never was',
  END_BEFORE_START: 'the session ends before it starts',
  CHARGE_POINT_UNKNOWN: 'the declared table has no such charge point',
  IMPLAUSIBLE: 'more energy than a session can have, or longer than a hundred days',
  DUPLICATE_ID: 'the session was in an earlier row already',
  OVERLAP: 'another session was on the same connector at that time, and began first',
}

/** Declared transformations of one row, counted: nothing else is changed. */
export interface SessionTransformations {
  /** Dates whose day and month were put the right way round, two a row at most. */
  DATE_DAY_MONTH_SWAPPED: number
  /** 1 if the row spells the site otherwise than the declared table, by which the charge point has its site. */
  SITE_BY_TABLE: number
}

export type ReadSession =
  | { ok: true; session: Session; transformed: SessionTransformations }
  | { ok: false; code: SessionQuarantineCode }

/** Columns that a file must have. */
export const SESSION_COLUMNS = [
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

export type SessionFields = Record<(typeof SESSION_COLUMNS)[number], string>

/** The most that one session can be: beyond it the meter rule would not believe the counter either. */
export const MOST_SESSION = { energyWh: 500_000n, durationMs: 100 * 24 * 3_600_000 } as const

const NEEDED = ['_id', 'CP ID', 'Connector', 'Start Date', 'Start Time', 'Site'] as const
const ENERGY = /^-?\d{1,6}(\.\d{1,3})?$/
const DATE = /^(\d{4})-(\d{2})-(\d{2})T00:00:00$/
const TIME = /^\d{2}:\d{2}$/
/** Days up to here can be taken for months, and were. */
const SWAPPED_UP_TO = 12

/** Reads one row: exact watt hours and UTC, or the code by which it is quarantined. */
export function readSession(fields: SessionFields, row: number): ReadSession {
  const empty = (name: (typeof SESSION_COLUMNS)[number]) => fields[name].trim() === ''
  if (NEEDED.some(empty)) return refuse('FIELD_MISSING')
  if (empty('End Date') || empty('End Time')) return refuse('END_MISSING')
  if (empty('Total kWh')) return refuse('ENERGY_MISSING')
  const energyText = fields['Total kWh']
  if (!ENERGY.test(energyText)) return refuse('NUMBER_INVALID')
  if (energyText.startsWith('-')) return refuse('ENERGY_NEGATIVE')
  const start = readMoment(fields['Start Date'], fields['Start Time'])
  const end = readMoment(fields['End Date'], fields['End Time'])
  if (!start || !end) return refuse('TIME_INVALID')
  if (end.timeMs < start.timeMs) return refuse('END_BEFORE_START')
  const site = siteOf(fields['CP ID'])
  if (site === undefined) return refuse('CHARGE_POINT_UNKNOWN')
  const session: Session = {
    row,
    chargePoint: fields['CP ID'],
    connector: fields.Connector,
    site,
    startMs: start.timeMs,
    endMs: end.timeMs,
    energyWh: parseDecimal(energyText, 3),
  }
  const tooLong = session.endMs - session.startMs > MOST_SESSION.durationMs
  if (session.energyWh > MOST_SESSION.energyWh || tooLong) return refuse('IMPLAUSIBLE')
  const transformed = {
    DATE_DAY_MONTH_SWAPPED: Number(start.swapped) + Number(end.swapped),
    SITE_BY_TABLE: Number(fields.Site !== site),
  }
  return { ok: true, session, transformed }
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

function refuse(code: SessionQuarantineCode): ReadSession {
  return { ok: false, code }
}
