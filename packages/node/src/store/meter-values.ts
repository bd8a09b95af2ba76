import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import { ALL_PERIODS, type PeriodSpan } from './periods.ts'

/** A signed meter value that equals the node's own fold. */
export interface AcceptedValue {
  agreementId: Hex
  period: number
  asOf: bigint
  registers: bigint[]
  evidenceHead: Hex
  heads: { stream: string; seq: string }[]
  /** Empty where it needs none (owed by time), or where an attestation has it. */
  signature: Hex
  /** The signature over many values that this one came with. */
  attestationId?: Hex
  owedMinor: bigint
  receivedMs: number
}

/**
 * Stores an accepted meter value. One with its head and `asOf` that is there already takes the new signature, and where the
 * ledger has refused it the registers too, which a revocation may have changed: after a change of keys a machine signs anew, and only its newest key is paid. False if nothing changed.
 */
export async function saveMeterValue(db: Queryable, value: AcceptedValue): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO meter_values (agreement_id, period, as_of, registers, evidence_head, heads, signature, owed_minor, received_ms, attestation_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (agreement_id, period, as_of, evidence_head) DO UPDATE
       SET signature = EXCLUDED.signature, registers = EXCLUDED.registers, heads = EXCLUDED.heads, owed_minor = EXCLUDED.owed_minor,
         given_up = meter_values.given_up AND meter_values.problem <> 'SIGNATURE_INVALID',
         retry_ms = CASE WHEN meter_values.problem = 'SIGNATURE_INVALID' THEN 0 ELSE meter_values.retry_ms END
       WHERE meter_values.signature <> EXCLUDED.signature
         AND (meter_values.registers = EXCLUDED.registers OR meter_values.given_up)
         AND meter_values.attestation_id IS NULL AND EXCLUDED.attestation_id IS NULL`,
    [
      bytesOf(value.agreementId),
      value.period,
      value.asOf,
      value.registers.map(String),
      bytesOf(value.evidenceHead),
      JSON.stringify(value.heads),
      bytesOf(value.signature),
      value.owedMinor,
      value.receivedMs,
      value.attestationId === undefined ? null : bytesOf(value.attestationId),
    ],
  )
  return rowCount === 1
}

const VALUE_COLUMNS =
  'agreement_id, period, as_of, registers::text[], evidence_head, heads, signature, owed_minor, received_ms, attestation_id'

function toAcceptedValue(row: {
  agreement_id: Buffer
  period: number
  as_of: bigint
  registers: string[]
  evidence_head: Buffer
  heads: { stream: string; seq: string }[]
  signature: Buffer
  owed_minor: bigint
  received_ms: bigint
  attestation_id: Buffer | null
}): AcceptedValue {
  return {
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    asOf: row.as_of,
    registers: row.registers.map(BigInt),
    evidenceHead: hexOf(row.evidence_head),
    heads: row.heads,
    signature: hexOf(row.signature),
    owedMinor: row.owed_minor,
    receivedMs: Number(row.received_ms),
    ...(row.attestation_id ? { attestationId: hexOf(row.attestation_id) } : {}),
  }
}

/** Accepted values of an agreement in order of time. */
export async function readMeterValues(db: Queryable, agreementId: Hex): Promise<AcceptedValue[]> {
  const { rows } = await db.query(
    `SELECT ${VALUE_COLUMNS} FROM meter_values WHERE agreement_id = $1 ORDER BY period, as_of, received_ms`,
    [bytesOf(agreementId)],
  )
  return rows.map(toAcceptedValue)
}

/** The accepted value of a period that owes most; undefined without any. */
export async function readHighestValue(
  db: Queryable,
  agreementId: Hex,
  period: number,
): Promise<AcceptedValue | undefined> {
  const { rows } = await db.query(
    `SELECT ${VALUE_COLUMNS} FROM meter_values WHERE agreement_id = $1 AND period = $2
     ORDER BY owed_minor DESC, as_of DESC LIMIT 1`,
    [bytesOf(agreementId), period],
  )
  return rows[0] && toAcceptedValue(rows[0])
}

/** How many accepted values of an agreement are kept. */
export async function countMeterValues(db: Queryable, agreementId: Hex): Promise<number> {
  const { rows } = await db.query(
    'SELECT count(*) AS count FROM meter_values WHERE agreement_id = $1',
    [bytesOf(agreementId)],
  )
  return Number(rows[0]?.count)
}

/** Forgets values of the same period that owe less, unless a transaction carries them. */
export async function forgetLowerValues(db: Queryable, value: AcceptedValue): Promise<void> {
  await db.query(
    `DELETE FROM meter_values
     WHERE agreement_id = $1 AND period = $2 AND owed_minor < $3 AND intent_id IS NULL`,
    [bytesOf(value.agreementId), value.period, value.owedMinor],
  )
}

/** The most that a signed and accepted value says of each period of an agreement. */
export async function readSigned(
  db: Queryable,
  agreementId: Hex,
  { from, before }: PeriodSpan = ALL_PERIODS,
): Promise<Map<number, bigint>> {
  const { rows } = await db.query(
    `SELECT period, max(owed_minor) AS owed_minor FROM meter_values
     WHERE agreement_id = $1 AND period >= $2::bigint AND period < $3::bigint GROUP BY 1`,
    [bytesOf(agreementId), from, before],
  )
  return new Map(rows.map((row) => [row.period, row.owed_minor]))
}

/** The most that a transaction on its way to the ledger carries of each period of an agreement. */
export async function readSent(
  db: Queryable,
  agreementId: Hex,
  { from, before }: PeriodSpan = ALL_PERIODS,
): Promise<Map<number, bigint>> {
  const { rows } = await db.query(
    `SELECT period, max(owed_minor) AS owed_minor FROM meter_values
     WHERE agreement_id = $1 AND intent_id IS NOT NULL AND period >= $2::bigint AND period < $3::bigint GROUP BY 1`,
    [bytesOf(agreementId), from, before],
  )
  return new Map(rows.map((row) => [row.period, row.owed_minor]))
}

/** Why the ledger skipped the agreement's newest meter value, in words; undefined if it did not. */
export async function readProblem(db: Queryable, agreementId: Hex): Promise<string | undefined> {
  const { rows } = await db.query(
    `SELECT problem, given_up FROM meter_values WHERE agreement_id = $1
     ORDER BY as_of DESC, received_ms DESC LIMIT 1`,
    [bytesOf(agreementId)],
  )
  const [row] = rows
  if (!row?.problem) return undefined
  const next = row.given_up ? 'It is not tried again.' : 'It will be tried again.'
  return `The ledger skipped the newest meter value: ${row.problem}. ${next}`
}

/** A value that the ledger has not seen yet. */
export interface UnsettledValue extends AcceptedValue {
  /** What the ledger has on record for the period: paid or proven, whichever is more. */
  onLedgerMinor: bigint
  /** When the oldest value was received that goes beyond what is on the ledger. */
  oldestMs: number
  attempts: number
}

/**
 * Of each period of the open agreements the highest accepted value, if it goes beyond what is on the ledger and no intent carries it yet.
 *
 * @param asset only of agreements in this token; undefined: in any.
 */
export async function readUnsettled(
  db: Queryable,
  nowMs: number,
  asset: Hex | undefined,
): Promise<UnsettledValue[]> {
  const { rows } = await db.query(
    `WITH ledger AS (
       SELECT e.agreement_id, e.period,
         greatest(sum(e.amount), max(least((e.detail->>'owed')::numeric, (a.terms->>'capMinor')::numeric))) AS minor
       FROM agreement_events e JOIN agreements a USING (agreement_id)
       WHERE e.kind IN ('settled', 'collected') GROUP BY 1, 2
     ), beyond AS (
       SELECT v.*, coalesce(l.minor, 0) AS on_ledger,
         min(v.received_ms) OVER (PARTITION BY v.agreement_id, v.period) AS oldest_ms,
         max(v.attempts) OVER (PARTITION BY v.agreement_id, v.period) AS tries,
         bool_or(v.intent_id IS NOT NULL) OVER (PARTITION BY v.agreement_id, v.period) AS under_way
       FROM meter_values v LEFT JOIN ledger l USING (agreement_id, period)
       WHERE v.owed_minor > coalesce(l.minor, 0) AND NOT v.given_up
         AND EXISTS (SELECT FROM agreements a WHERE a.agreement_id = v.agreement_id AND ($2::bytea IS NULL OR a.asset = $2))
         AND NOT EXISTS (SELECT FROM agreement_events c WHERE c.agreement_id = v.agreement_id AND c.kind = 'closed')
     )
     SELECT DISTINCT ON (agreement_id, period) ${VALUE_COLUMNS}, on_ledger, oldest_ms, tries, retry_ms
     FROM beyond WHERE NOT under_way AND retry_ms <= $1
     ORDER BY agreement_id, period, owed_minor DESC, as_of DESC`,
    [nowMs, asset === undefined ? null : bytesOf(asset)],
  )
  return rows.map((row) => ({
    ...toAcceptedValue(row),
    onLedgerMinor: row.on_ledger,
    oldestMs: Number(row.oldest_ms),
    attempts: row.tries,
  }))
}

/** Marks values as carried by an intent. */
export async function assignIntent(
  db: Queryable,
  values: readonly AcceptedValue[],
  intentId: string,
): Promise<void> {
  for (const value of values) {
    await db.query(
      `UPDATE meter_values SET intent_id = $5 WHERE agreement_id = $1 AND period = $2 AND as_of = $3 AND evidence_head = $4`,
      [bytesOf(value.agreementId), value.period, value.asOf, bytesOf(value.evidenceHead), intentId],
    )
  }
}

/** A value that an intent carries. */
export interface AssignedValue extends AcceptedValue {
  /** How often the ledger has skipped it before. */
  attempts: number
}

/** Values that an intent carries, by intent, in the order in which they stand in its call. */
export async function readAssigned(db: Queryable): Promise<Map<string, AssignedValue[]>> {
  const { rows } = await db.query(
    `SELECT intent_id, attempts, ${VALUE_COLUMNS} FROM meter_values WHERE intent_id IS NOT NULL
     ORDER BY intent_id, agreement_id, period`,
  )
  const byIntent = new Map<string, AssignedValue[]>()
  for (const row of rows) {
    const values = byIntent.get(row.intent_id) ?? []
    values.push({ ...toAcceptedValue(row), attempts: row.attempts })
    byIntent.set(row.intent_id, values)
  }
  return byIntent
}

/** What became of the value that an intent carried. */
export interface Outcome {
  /** Why the ledger skipped it; undefined if it did not. */
  problem: string | undefined
  /** When to try again; undefined: never. */
  retryMs: number | undefined
}

/** What became of an intent and of the items in its call. `items` is empty until the ledger's events were followed. */
export interface IntentFate {
  status: 'queued' | 'sent' | 'included' | 'final' | 'reverted'
  items: { agreementId: Hex; period: number; skipped: string | undefined }[]
}

/** The fate of an intent; undefined if the outbox never got it. */
export async function readIntentFate(
  db: Queryable,
  intentId: string,
): Promise<IntentFate | undefined> {
  const { rows } = await db.query('SELECT status, tx_hash FROM outbox WHERE intent_id = $1', [
    intentId,
  ])
  const [intent] = rows
  if (!intent) return undefined
  const events =
    intent.tx_hash === null
      ? []
      : (
          await db.query(
            `SELECT agreement_id, period, kind, detail->>'reason' AS reason FROM agreement_events
             WHERE tx_hash = $1 AND kind IN ('settled', 'skipped')`,
            [intent.tx_hash],
          )
        ).rows
  return {
    status: intent.status,
    items: events.map((row) => ({
      agreementId: hexOf(row.agreement_id),
      period: row.period,
      skipped: row.kind === 'skipped' ? row.reason : undefined,
    })),
  }
}

/** Takes a value off its intent, with the outcome. Of one that the ledger took, what it covers is kept for ever. */
export async function saveOutcome(
  db: Queryable,
  value: AcceptedValue,
  outcome: Outcome,
): Promise<void> {
  await db.query(
    `WITH settled AS (
       INSERT INTO settled_values (agreement_id, period, as_of, evidence_head, heads)
       SELECT agreement_id, period, as_of, evidence_head, heads FROM meter_values
       WHERE agreement_id = $1 AND period = $2 AND as_of = $3 AND evidence_head = $4
         AND $5::text IS NULL AND heads <> '[]' ON CONFLICT DO NOTHING
     )
     UPDATE meter_values SET intent_id = NULL, problem = $5, retry_ms = coalesce($6, retry_ms),
       attempts = attempts + CASE WHEN $5::text IS NULL THEN 0 ELSE 1 END,
       given_up = ($5::text IS NOT NULL AND $6::bigint IS NULL)
     WHERE agreement_id = $1 AND period = $2 AND as_of = $3 AND evidence_head = $4`,
    [
      bytesOf(value.agreementId),
      value.period,
      value.asOf,
      bytesOf(value.evidenceHead),
      outcome.problem ?? null,
      outcome.retryMs ?? null,
    ],
  )
}
