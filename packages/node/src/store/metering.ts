import type { Hex } from '@liquefy/client'
import {
  type AdmissionCode,
  type AmountBand,
  type Calibration,
  codeBehindCut,
  decodeEnvelope,
  type FoldState,
  type FoldStep,
  foldFromJson,
  foldToJson,
  LiquefyError,
  type LoggedEnvelope,
} from '@liquefy/protocol'
import { cutSizes } from './cuts.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import { ALL_PERIODS, type PeriodSpan } from './periods.ts'

/** Where the fold of one meter of an agreement stands. */
export interface StoredFold {
  agreementId: Hex
  meter: number
  machineId: bigint
  stream: string
  startSeq: bigint
  /** Log index up to which it has read its stream. */
  cursor: bigint
  state: FoldState
  /** It waits for a missing `seq`, which is given up then, ms since 1970; undefined while it does not. */
  heldUntilMs: number | undefined
  /** More than one portion could be folded of what lies up to the cursor. */
  backlog: boolean
  /** What it takes as cut off by revocations, as `cutsText` writes it. */
  cuts: string
}

/** The newest amount owed for a period by the node's own fold. */
export interface OwedRow {
  agreementId: Hex
  period: number
  registers: bigint[]
  /** Seconds since 1970. */
  asOf: bigint
  owedMinor: bigint
  heads: { stream: string; seq: string }[]
  /** What the calibration of its meters leaves open of the amount; undefined where none must be calibrated. */
  band?: AmountBand | undefined
}

/** A stored envelope of a stream cannot be decoded although it once was: the database was tampered with or is damaged. */
class EnvelopeDamagedError extends LiquefyError {
  constructor(logIndex: bigint) {
    super(
      'ENVELOPE_DAMAGED',
      `The stored envelope ${logIndex} cannot be read any more. Restore the database from a backup.`,
    )
  }
}

/** A fold needs an envelope whose bytes are out: its agreement begins before what the database still has. */
export class EnvelopeArchivedError extends LiquefyError {
  constructor(logIndex: bigint) {
    super(
      'ARCHIVED',
      `Envelope ${logIndex} is needed, and its bytes were archived or erased. Archived ones come back: liquefy archive restore --from <folder of the archive>.`,
    )
  }
}

/** Seq of a logged envelope of a stream; undefined if it is not logged here. */
export async function seqOfDigest(
  db: Queryable,
  machineId: bigint,
  stream: string,
  digest: Hex,
): Promise<bigint | undefined> {
  const { rows } = await db.query(
    'SELECT seq FROM envelopes WHERE digest = $1 AND machine_id = $2 AND stream = $3',
    [bytesOf(digest), machineId, stream],
  )
  return rows[0]?.seq
}

/** Begins a fold unless it began before. */
export async function createFold(
  db: Queryable,
  fold: Omit<StoredFold, 'heldUntilMs' | 'backlog'>,
): Promise<void> {
  await db.query(
    `INSERT INTO folds (agreement_id, meter, machine_id, stream, start_seq, cursor, state, cuts)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
    [
      bytesOf(fold.agreementId),
      fold.meter,
      fold.machineId,
      fold.stream,
      fold.startSeq,
      fold.cursor,
      foldToJson(fold.state),
      fold.cuts,
    ],
  )
}

/** Forgets what the folds of an agreement made of its streams, so that they begin anew. Signed values are kept. */
export async function resetFolds(db: Queryable, agreementId: Hex): Promise<void> {
  for (const table of FOLD_TABLES) {
    await db.query(`DELETE FROM ${table} WHERE agreement_id = $1`, [bytesOf(agreementId)])
  }
}

const FOLD_TABLES = ['owed', 'metered', 'metered_late', 'folds'] as const

/** Locks and reads the folds of agreements, each agreement's in the order of its terms. */
export async function lockFolds(
  db: Queryable,
  agreementIds: readonly Hex[],
): Promise<Map<Hex, StoredFold[]>> {
  // Always in one order, so that nobody waits for us who has what we want next.
  const { rows } = await db.query(
    `SELECT agreement_id, meter, machine_id, stream, start_seq, cursor, state::text, held_until_ms, backlog, cuts
     FROM folds WHERE agreement_id = ANY ($1) ORDER BY agreement_id, meter FOR UPDATE`,
    [agreementIds.map(bytesOf)],
  )
  const folds = new Map<Hex, StoredFold[]>(agreementIds.map((id) => [id, []]))
  for (const row of rows) {
    const agreementId = hexOf(row.agreement_id)
    folds.get(agreementId)?.push({
      agreementId,
      meter: row.meter,
      machineId: BigInt(row.machine_id),
      stream: row.stream,
      startSeq: row.start_seq,
      cursor: row.cursor,
      state: foldFromJson(row.state),
      heldUntilMs: row.held_until_ms === null ? undefined : Number(row.held_until_ms),
      backlog: row.backlog,
      cuts: row.cuts,
    })
  }
  return folds
}

/** How far each fold of an agreement has come, in the order of the terms. */
export async function readFolds(
  db: Queryable,
  agreementId: Hex,
): Promise<{ meter: number; stream: string; startSeq: bigint; state: FoldState }[]> {
  const { rows } = await db.query(
    'SELECT meter, stream, start_seq, state::text FROM folds WHERE agreement_id = $1 ORDER BY meter',
    [bytesOf(agreementId)],
  )
  return rows.map((row) => ({
    meter: row.meter,
    stream: row.stream,
    startSeq: row.start_seq,
    state: foldFromJson(row.state),
  }))
}

/** An envelope as a fold sees it before its turn: of readings only their number, so that as many as like may wait. */
export interface OutlinedEnvelope extends LoggedEnvelope {
  logIndex: bigint
  readings: number
}

const OUTLINE = `log_index, signer_id, epoch, seq, digest, logged_at, code, iat, readings,
  declaration AND code = 'OK' AS declares, CASE WHEN declaration AND code = 'OK' THEN raw END AS declaration`

/** What was logged behind the cursor of each fold, in outline, at most `limit` of it. */
export async function readFresh(
  db: Queryable,
  folds: readonly StoredFold[],
  limit: number,
): Promise<Map<StoredFold, OutlinedEnvelope[]>> {
  if (folds.length === 0) return new Map()
  const { rows } = await db.query(
    `SELECT f.place, e.* FROM unnest($1::numeric[], $2::text[], $3::bigint[])
       WITH ORDINALITY f (machine_id, stream, cursor, place)
     CROSS JOIN LATERAL (
       SELECT ${OUTLINE} FROM envelopes
       WHERE machine_id = f.machine_id AND stream = f.stream AND log_index > f.cursor
       ORDER BY log_index LIMIT $4
     ) e ORDER BY f.place, e.log_index`,
    [
      folds.map(({ machineId }) => machineId),
      folds.map(({ stream }) => stream),
      folds.map(({ cursor }) => cursor),
      limit,
    ],
  )
  return outlinesOf(folds, rows)
}

/** What each fold has read but not passed yet, in outline. */
export async function readWaiting(
  db: Queryable,
  folds: readonly StoredFold[],
): Promise<Map<StoredFold, OutlinedEnvelope[]>> {
  if (folds.length === 0) return new Map()
  const { rows } = await db.query(
    `SELECT f.place, e.* FROM unnest($1::numeric[], $2::text[], $3::bigint[], $4::bigint[])
       WITH ORDINALITY f (machine_id, stream, next_seq, cursor, place)
     CROSS JOIN LATERAL (
       SELECT ${OUTLINE} FROM envelopes
       WHERE machine_id = f.machine_id AND stream = f.stream AND seq >= f.next_seq AND log_index <= f.cursor
     ) e`,
    [
      folds.map(({ machineId }) => machineId),
      folds.map(({ stream }) => stream),
      folds.map(({ state }) => state.nextSeq),
      folds.map(({ cursor }) => cursor),
    ],
  )
  return outlinesOf(folds, rows)
}

function outlinesOf(
  folds: readonly StoredFold[],
  rows: readonly (OutlineRow & { place: bigint })[],
): Map<StoredFold, OutlinedEnvelope[]> {
  const outlines = new Map<StoredFold, OutlinedEnvelope[]>()
  const cutsOf = new Map<StoredFold, ReturnType<typeof cutSizes>>()
  for (const row of rows) {
    const fold = folds[Number(row.place) - 1]
    if (!fold) continue
    const cutOf = cutsOf.get(fold) ?? cutSizes(fold.cuts)
    cutsOf.set(fold, cutOf)
    const ofFold = outlines.get(fold) ?? []
    outlines.set(fold, ofFold)
    if (row.declares && !row.declaration && row.seq >= fold.startSeq) {
      throw new EnvelopeArchivedError(row.log_index)
    }
    ofFold.push(toOutline(row, cutOf))
  }
  return outlines
}

/** The contents of envelopes, by log index. */
export async function readContents(
  db: Queryable,
  logIndexes: readonly bigint[],
): Promise<Map<bigint, LoggedEnvelope['content']>> {
  if (logIndexes.length === 0) return new Map()
  const { rows } = await db.query(
    'SELECT log_index, raw FROM envelopes WHERE log_index = ANY ($1::bigint[])',
    [logIndexes],
  )
  return new Map(rows.map((row) => [row.log_index, contentOf(row.raw, row.log_index)]))
}

const NOT_READ: LoggedEnvelope['content'] = { kind: 'readings', readings: [] }

function toOutline(
  row: OutlineRow,
  cutOf: (signerId: bigint, epoch: bigint) => bigint | undefined,
): OutlinedEnvelope {
  const cutSize = cutOf(BigInt(row.signer_id), row.epoch)
  return {
    logIndex: row.log_index,
    seq: row.seq,
    digest: hexOf(row.digest),
    loggedAt: Number(row.logged_at),
    code: codeBehindCut(row.code, row.log_index, cutSize),
    content: row.declaration ? contentOf(row.declaration, row.log_index) : NOT_READ,
    iat: Number(row.iat),
    readings: row.readings,
  }
}

interface OutlineRow {
  log_index: bigint
  signer_id: bigint
  epoch: bigint
  seq: bigint
  digest: Buffer
  logged_at: bigint
  code: AdmissionCode
  iat: bigint
  readings: number
  declares: boolean
  /** Its bytes if it declares something; null too if these were archived. */
  declaration: Buffer | null
}

function contentOf(raw: Buffer | null, logIndex: bigint): LoggedEnvelope['content'] {
  if (!raw) throw new EnvelopeArchivedError(logIndex)
  const decoded = decodeEnvelope(raw)
  if (!decoded.ok) throw new EnvelopeDamagedError(logIndex)
  return decoded.envelope.content
}

/** A fold that has moved, and what it said of each envelope. */
export interface FoldMove {
  fold: StoredFold
  steps: readonly FoldStep[]
}

/** Moves folds: their state and cursor, and what they said. Call it in the transaction that locked them. */
export async function moveFolds(db: Queryable, moves: readonly FoldMove[]): Promise<void> {
  if (moves.length === 0) return
  const folds = moves.map(({ fold }) => fold)
  await db.query(
    `UPDATE folds SET cursor = m.cursor, state = m.state::jsonb, held_until_ms = m.held_until_ms, backlog = m.backlog
     FROM unnest($1::bytea[], $2::smallint[], $3::bigint[], $4::text[], $5::bigint[], $6::boolean[])
       m (agreement_id, meter, cursor, state, held_until_ms, backlog)
     WHERE folds.agreement_id = m.agreement_id AND folds.meter = m.meter`,
    [
      folds.map(({ agreementId }) => bytesOf(agreementId)),
      folds.map(({ meter }) => meter),
      folds.map(({ cursor }) => cursor),
      folds.map(({ state }) => foldToJson(state)),
      folds.map(({ heldUntilMs }) => heldUntilMs ?? null),
      folds.map(({ backlog }) => backlog),
    ],
  )
  await saveMetered(db, moves)
  await saveLate(db, moves)
}

/** What folds said of each envelope, and the registers after it of the periods that it moved. */
async function saveMetered(db: Queryable, moves: readonly FoldMove[]): Promise<void> {
  const rows = moves.flatMap(({ fold, steps }) =>
    steps.flatMap((step) => {
      const registers = Object.entries(step.registers)
      const moved = registers.length > 0 ? registers : ([['-1', 0n]] as const)
      return moved.map(([period, register]) => ({ fold, step, period, register }))
    }),
  )
  if (rows.length === 0) return
  await db.query(
    `INSERT INTO metered (agreement_id, meter, seq, period, register, digest, code, covered, last_ms)
     SELECT * FROM unnest($1::bytea[], $2::smallint[], $3::bigint[], $4::int[], $5::numeric[], $6::bytea[], $7::text[], $8::boolean[], $9::bigint[])`,
    [
      rows.map(({ fold }) => bytesOf(fold.agreementId)),
      rows.map(({ fold }) => fold.meter),
      rows.map(({ step }) => step.seq),
      rows.map(({ period }) => period),
      rows.map(({ register }) => register),
      rows.map(({ step }) => bytesOf(step.digest)),
      rows.map(({ step }) => step.code),
      rows.map(({ step }) => step.covered),
      rows.map(({ step }) => step.lastReadingMs ?? null),
    ],
  )
}

/** Registers of final periods with their late input, after each step that moved them. */
async function saveLate(db: Queryable, moves: readonly FoldMove[]): Promise<void> {
  const rows = moves.flatMap(({ fold, steps }) =>
    steps.flatMap(({ seq, lateRegisters }) =>
      Object.entries(lateRegisters).map(([period, register]) => ({ fold, seq, period, register })),
    ),
  )
  if (rows.length === 0) return
  await db.query(
    `INSERT INTO metered_late (agreement_id, meter, period, seq, register)
     SELECT * FROM unnest($1::bytea[], $2::smallint[], $3::int[], $4::bigint[], $5::numeric[])`,
    [
      rows.map(({ fold }) => bytesOf(fold.agreementId)),
      rows.map(({ fold }) => fold.meter),
      rows.map(({ period }) => period),
      rows.map(({ seq }) => seq),
      rows.map(({ register }) => register),
    ],
  )
}

/** Writes the newest amounts owed, at most one a period. */
export async function saveOwed(
  db: Queryable,
  rows: readonly OwedRow[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return
  await db.query(
    `INSERT INTO owed (agreement_id, period, registers, as_of, owed_minor, heads, updated_ms, lower_minor, upper_minor, uncertainty_ppm)
     SELECT agreement_id, period, registers::numeric[], as_of, owed_minor, heads::jsonb, $7, lower_minor, upper_minor, uncertainty_ppm
     FROM unnest($1::bytea[], $2::int[], $3::text[], $4::bigint[], $5::numeric[], $6::text[], $8::numeric[], $9::numeric[], $10::int[])
       r (agreement_id, period, registers, as_of, owed_minor, heads, lower_minor, upper_minor, uncertainty_ppm)
     ON CONFLICT (agreement_id, period) DO UPDATE SET registers = EXCLUDED.registers,
       as_of = greatest(owed.as_of, EXCLUDED.as_of), owed_minor = EXCLUDED.owed_minor,
       heads = EXCLUDED.heads, updated_ms = EXCLUDED.updated_ms,
       lower_minor = EXCLUDED.lower_minor, upper_minor = EXCLUDED.upper_minor, uncertainty_ppm = EXCLUDED.uncertainty_ppm`,
    [
      rows.map(({ agreementId }) => bytesOf(agreementId)),
      rows.map(({ period }) => period),
      rows.map(({ registers }) => `{${registers.join(',')}}`),
      rows.map(({ asOf }) => asOf),
      rows.map(({ owedMinor }) => owedMinor),
      rows.map(({ heads }) => JSON.stringify(heads)),
      nowMs,
      rows.map(({ band }) => band?.lowerMinor ?? null),
      rows.map(({ band }) => band?.upperMinor ?? null),
      rows.map(({ band }) => band?.uncertaintyPpm ?? null),
    ],
  )
}

/** What an agreement owes and for what, by period: of all or of a span. */
export async function readOwed(
  db: Queryable,
  agreementId: Hex,
  { from, before }: PeriodSpan = ALL_PERIODS,
): Promise<OwedRow[]> {
  const { rows } = await db.query(
    `SELECT agreement_id, period, registers::text[], as_of, owed_minor, heads, lower_minor, upper_minor, uncertainty_ppm FROM owed
     WHERE agreement_id = $1 AND period >= $2::bigint AND period < $3::bigint ORDER BY period`,
    [bytesOf(agreementId), from, before],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    registers: row.registers.map(BigInt),
    asOf: row.as_of,
    owedMinor: row.owed_minor,
    heads: row.heads,
    ...(row.uncertainty_ppm !== null && {
      band: {
        lowerMinor: row.lower_minor,
        upperMinor: row.upper_minor,
        uncertaintyPpm: row.uncertainty_ppm,
      },
    }),
  }))
}

/** What is owed for a period, without what it is owed for. */
export type OwedAmount = Pick<OwedRow, 'agreementId' | 'period' | 'asOf' | 'owedMinor'>

/** Amounts owed, of all agreements or of one, by period: of all or of a span. Without registers and heads: there may be tens of thousands. */
export async function readOwedAmounts(
  db: Queryable,
  agreementId?: Hex,
  { from, before }: PeriodSpan = ALL_PERIODS,
): Promise<OwedAmount[]> {
  const { rows } = await db.query(
    `SELECT agreement_id, period, as_of, owed_minor FROM owed
     WHERE ($1::bytea IS NULL OR agreement_id = $1) AND period >= $2::bigint AND period < $3::bigint
     ORDER BY agreement_id, period`,
    [agreementId === undefined ? null : bytesOf(agreementId), from, before],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    asOf: row.as_of,
    owedMinor: row.owed_minor,
  }))
}

/** What is owed of each agreement in all. */
export async function readOwedTotals(db: Queryable): Promise<Map<Hex, bigint>> {
  const { rows } = await db.query(
    'SELECT agreement_id, sum(owed_minor) AS owed_minor FROM owed GROUP BY 1',
  )
  return new Map(rows.map((row) => [hexOf(row.agreement_id), row.owed_minor]))
}

/** The amount owed for the newest period of an agreement; undefined before any. */
export async function readNewestOwed(
  db: Queryable,
  agreementId: Hex,
): Promise<OwedAmount | undefined> {
  const { rows } = await db.query(
    'SELECT period, as_of, owed_minor FROM owed WHERE agreement_id = $1 ORDER BY period DESC LIMIT 1',
    [bytesOf(agreementId)],
  )
  const [row] = rows
  return row && { period: row.period, asOf: row.as_of, owedMinor: row.owed_minor }
}

/** Register of a period after the envelope `seq` of a meter's stream: 0 if nothing moved it until then. */
export async function registerAtSeq(
  db: Queryable,
  at: { agreementId: Hex; meter: number; period: number; seq: bigint },
): Promise<bigint> {
  const { rows } = await db.query(
    `SELECT register FROM metered
     WHERE agreement_id = $1 AND meter = $2 AND period = $3 AND seq <= $4 ORDER BY seq DESC LIMIT 1`,
    [bytesOf(at.agreementId), at.meter, at.period, at.seq],
  )
  return rows[0]?.register ?? 0n
}

/** Register of a final period with its late input after the envelope `seq`; undefined if nothing came late until then. */
export async function lateRegisterAtSeq(
  db: Queryable,
  at: { agreementId: Hex; meter: number; period: number; seq: bigint },
): Promise<bigint | undefined> {
  const { rows } = await db.query(
    `SELECT register FROM metered_late
     WHERE agreement_id = $1 AND meter = $2 AND period = $3 AND seq <= $4 ORDER BY seq DESC LIMIT 1`,
    [bytesOf(at.agreementId), at.meter, at.period, at.seq],
  )
  return rows[0]?.register
}

/** What the folds said of some envelopes: verdict and registers after each, by digest. */
export async function readMetered(
  db: Queryable,
  agreementId: Hex,
  digests: readonly Hex[],
): Promise<Map<Hex, { meter: number; code: string; registers: Record<number, string> }[]>> {
  const { rows } = await db.query(
    `SELECT digest, meter, period, register, code FROM metered
     WHERE agreement_id = $1 AND digest = ANY ($2) ORDER BY meter, period`,
    [bytesOf(agreementId), digests.map(bytesOf)],
  )
  const metered = new Map<
    Hex,
    { meter: number; code: string; registers: Record<number, string> }[]
  >()
  for (const row of rows) {
    const digest = hexOf(row.digest)
    const said = metered.get(digest) ?? []
    metered.set(digest, said)
    let one = said.find(({ meter }) => meter === row.meter)
    if (!one) {
      one = { meter: row.meter, code: row.code, registers: {} }
      said.push(one)
    }
    if (row.period >= 0) one.registers[row.period] = String(row.register)
  }
  return metered
}

/** The envelope that a meter's fold covered at `seq`, and the last reading covered then; undefined if it covered none there. */
export async function coveredAtSeq(
  db: Queryable,
  at: { agreementId: Hex; meter: number; machineId: bigint; stream: string; seq: bigint },
): Promise<{ digest: Hex; lastReadingMs: number | undefined } | undefined> {
  const { rows } = await db.query(
    `SELECT m.digest, m.last_ms FROM envelopes e JOIN metered m USING (digest)
     WHERE e.machine_id = $3 AND e.stream = $4 AND e.seq = $5
       AND m.agreement_id = $1 AND m.meter = $2 AND m.covered
     ORDER BY e.log_index LIMIT 1`,
    [bytesOf(at.agreementId), at.meter, at.machineId, at.stream, at.seq],
  )
  const [row] = rows
  if (!row) return undefined
  return {
    digest: hexOf(row.digest),
    lastReadingMs: row.last_ms === null ? undefined : Number(row.last_ms),
  }
}

/** The certificates that each fold of some agreements has accepted and that may still matter. */
export async function readCalibrations(
  db: Queryable,
  agreementIds: readonly Hex[],
): Promise<{ agreementId: Hex; meter: number; calibrations: readonly Calibration[] }[]> {
  if (agreementIds.length === 0) return []
  const { rows } = await db.query(
    `SELECT agreement_id, meter, state->'calibrations' AS calibrations FROM folds
     WHERE agreement_id = ANY ($1) ORDER BY agreement_id, meter`,
    [agreementIds.map(bytesOf)],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    meter: row.meter,
    calibrations: row.calibrations ?? [],
  }))
}

/** The newest unpriced envelopes of an agreement. */
export async function readUnpriced(
  db: Queryable,
  agreementId: Hex,
  limit: number,
): Promise<{ stream: string; seq: string; code: string }[]> {
  const { rows } = await db.query(
    `SELECT f.stream, m.seq, m.code FROM metered m JOIN folds f USING (agreement_id, meter)
     WHERE m.agreement_id = $1 AND m.code <> 'OK' ORDER BY m.seq DESC LIMIT $2`,
    [bytesOf(agreementId), limit],
  )
  return rows.map((row) => ({ stream: row.stream, seq: String(row.seq), code: row.code }))
}

/** Spans of `seq` of an agreement that a revocation has cut off, at most `limit`. */
export async function readBeyondCut(
  db: Queryable,
  agreementId: Hex,
  limit: number,
): Promise<{ stream: string; first: string; last: string }[]> {
  const { rows } = await db.query(
    `SELECT stream, min(seq) AS first, max(seq) AS last FROM (
       SELECT f.stream, m.seq, m.seq - dense_rank() OVER (PARTITION BY f.stream ORDER BY m.seq) AS span
       FROM metered m JOIN folds f USING (agreement_id, meter)
       WHERE m.agreement_id = $1 AND m.code = 'BEYOND_CUT'
     ) cut GROUP BY stream, span ORDER BY stream, first LIMIT $2`,
    [bytesOf(agreementId), limit],
  )
  return rows.map((row) => ({
    stream: row.stream,
    first: String(row.first),
    last: String(row.last),
  }))
}

/** Forgets all that was metered for agreements that a reorganisation took away. Signed values are kept. */
export async function forgetMetering(db: Queryable): Promise<void> {
  for (const table of FOLD_TABLES) {
    await db.query(
      `DELETE FROM ${table} t WHERE NOT EXISTS (SELECT FROM agreements a WHERE a.agreement_id = t.agreement_id)`,
    )
  }
}
