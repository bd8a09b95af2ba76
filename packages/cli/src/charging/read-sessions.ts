import { readTable } from '../csv-table.ts'
import { CliError } from '../failure.ts'
import {
  readSession,
  SESSION_COLUMNS,
  type Session,
  type SessionQuarantineCode,
  type SessionTransformations,
  TRANSFORMATIONS,
} from './session.ts'

/** Every row of a file is in exactly one of `sessions` and `quarantined`. */
export interface SessionFile {
  rows: number
  /** In order of start, then of row. */
  sessions: Session[]
  quarantined: Partial<Record<SessionQuarantineCode, number>>
  /** Declared transformations of the accepted rows. */
  transformed: SessionTransformations
}

/** Reads a file of charging sessions. @throws CliError `FILE_UNREADABLE`, `COLUMNS_MISSING`, `COLUMNS_UNKNOWN`. */
export async function readSessions(path: string): Promise<SessionFile> {
  const quarantined: SessionFile['quarantined'] = {}
  const quarantine = (code: SessionQuarantineCode) => {
    quarantined[code] = (quarantined[code] ?? 0) + 1
  }
  const read: { session: Session; transformed: SessionTransformations }[] = []
  const seen = new Set<string>()
  let rows = 0
  for await (const fields of readTable(path, SESSION_COLUMNS)) {
    rows += 1
    const result = fields
      ? readSession(fields, rows)
      : ({ ok: false, code: 'ROW_MALFORMED' } as const)
    if (!result.ok) quarantine(result.code)
    else if (fields && seen.has(fields._id)) quarantine('DUPLICATE_ID')
    else {
      read.push(result)
      if (fields) seen.add(fields._id)
    }
  }
  if (rows === 0) throw new CliError('FILE_UNREADABLE', `${path} holds no sessions.`)
  read.sort((a, b) => a.session.startMs - b.session.startMs || a.session.row - b.session.row)
  const kept = withoutOverlaps(read, () => quarantine('OVERLAP'))
  return {
    rows,
    quarantined,
    sessions: kept.map(({ session }) => session),
    transformed: sumOf(kept),
  }
}

function sumOf(rows: readonly { transformed: SessionTransformations }[]): SessionTransformations {
  const sums = TRANSFORMATIONS.map((name) => [
    name,
    rows.reduce((sum, { transformed }) => sum + transformed[name], 0),
  ])
  return Object.fromEntries(sums) as SessionTransformations
}

/**
 * Of two sessions that overlap on one connector the later start, then the later row, goes: half-open intervals, so that one may
 * begin in the minute in which another ends. A session of zero minutes is an empty interval and overlaps with nothing.
 *
 * @param inOrder by start, then by row.
 */
function withoutOverlaps<Read extends { session: Session }>(
  inOrder: readonly Read[],
  onOverlap: () => void,
): Read[] {
  const busyUntil = new Map<string, number>()
  return inOrder.filter(({ session }) => {
    if (session.endMs === session.startMs) return true
    const connector = `${session.chargePoint} ${session.connector}`
    if (session.startMs < (busyUntil.get(connector) ?? Number.NEGATIVE_INFINITY)) {
      onOverlap()
      return false
    }
    busyUntil.set(connector, Math.max(session.endMs, busyUntil.get(connector) ?? 0))
    return true
  })
}
