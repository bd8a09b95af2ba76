import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** Where an event stands on the ledger: `<block>-<log index>`. */
export interface LedgerPlace {
  block: number
  logIndex: number
}

/** One settlement on the ledger. */
export interface Settlement extends LedgerPlace {
  /** A signed value, arrears, what late evidence added, or what the payee gave back. */
  kind: 'settled' | 'collected' | 'adjusted' | 'refunded'
  agreementId: Hex
  period: number
  asOf: bigint
  registers: string[]
  paidMinor: bigint
  txHash: Hex
  atMs: number
  /** What the event says besides, as the table `agreement_events` keeps it. */
  detail: Record<string, unknown>
}

/**
 * Of the events `e`, settlements that moved money, proved more than all before them, or added late evidence, whether or not escrow paid for it.
 * Anybody may settle a value again, which does nothing of that: those rows must not crowd out the real ones.
 */
const TELLING = `e.kind IN ('settled', 'collected', 'adjusted', 'refunded') AND (e.amount > 0 OR e.kind = 'adjusted' OR e.kind = 'settled'
  AND (e.detail->>'owed')::numeric > 0
  AND NOT EXISTS (SELECT FROM agreement_events b
    WHERE b.agreement_id = e.agreement_id AND b.kind = 'settled' AND b.period = e.period
      AND (b.block, b.log_index) < (e.block, e.log_index)
      AND (b.detail->>'owed')::numeric >= (e.detail->>'owed')::numeric))`

interface EventRow {
  agreement_id: Buffer
  kind: Settlement['kind']
  period: number
  as_of: bigint | null
  amount: bigint
  detail: { registers?: string[] }
  tx_hash: Buffer
  block: bigint
  log_index: number
  at_ms: bigint
}

function toSettlement(row: EventRow): Settlement {
  return {
    kind: row.kind,
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    asOf: row.as_of ?? 0n,
    registers: row.detail.registers ?? [],
    paidMinor: row.amount,
    txHash: hexOf(row.tx_hash),
    block: Number(row.block),
    logIndex: row.log_index,
    atMs: Number(row.at_ms),
    detail: row.detail,
  }
}

/** Settlements of an agreement that moved money or proved more, newest first: of all periods or of one, the newest or those before a place. */
export async function readSettlements(
  db: Queryable,
  agreementId: Hex,
  limit: number,
  { before, period }: { before?: LedgerPlace | undefined; period?: number | undefined } = {},
): Promise<Settlement[]> {
  const { rows } = await db.query<EventRow>(
    `SELECT * FROM agreement_events e WHERE e.agreement_id = $1 AND ${TELLING}
       AND ($3::bigint IS NULL OR (e.block, e.log_index) < ($3, $4::int))
       AND ($5::bigint IS NULL OR e.period = $5)
     ORDER BY e.block DESC, e.log_index DESC LIMIT $2`,
    [bytesOf(agreementId), limit, before?.block ?? null, before?.logIndex ?? null, period ?? null],
  )
  return rows.map(toSettlement)
}

/** How many of these settlements stand before a place. */
export async function countSettlements(
  db: Queryable,
  agreementId: Hex,
  { before, period }: { before: LedgerPlace; period: number | undefined },
): Promise<number> {
  const { rows } = await db.query(
    `SELECT count(*) AS count FROM agreement_events e WHERE e.agreement_id = $1 AND ${TELLING}
       AND (e.block, e.log_index) < ($2, $3::int) AND ($4::bigint IS NULL OR e.period = $4)`,
    [bytesOf(agreementId), before.block, before.logIndex, period ?? null],
  )
  return Number(rows[0].count)
}

/** The settlement at a place; undefined if what stands there is none of this agreement. */
export async function readSettlement(
  db: Queryable,
  agreementId: Hex,
  { block, logIndex }: LedgerPlace,
): Promise<Settlement | undefined> {
  const { rows } = await db.query<EventRow>(
    `SELECT * FROM agreement_events e WHERE e.agreement_id = $1 AND e.block = $2 AND e.log_index = $3 AND ${TELLING}`,
    [bytesOf(agreementId), block, logIndex],
  )
  return rows[0] && toSettlement(rows[0])
}

/** Settlements of some agreements that moved money or proved more, in the blocks after `afterBlock` up to `toBlock`, in the order of the ledger. */
export async function readSettlementsSince(
  db: Queryable,
  agreementIds: readonly Hex[],
  afterBlock: number,
  toBlock: number,
): Promise<Pick<Settlement, 'agreementId' | 'period' | 'paidMinor' | 'txHash'>[]> {
  const { rows } = await db.query(
    `SELECT e.agreement_id, e.period, e.amount, e.tx_hash FROM agreement_events e
     WHERE e.agreement_id = ANY ($1) AND e.block > $2 AND e.block <= $3 AND e.kind <> 'refunded' AND ${TELLING}
     ORDER BY e.block, e.log_index`,
    [agreementIds.map(bytesOf), afterBlock, toBlock],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    paidMinor: row.amount,
    txHash: hexOf(row.tx_hash),
  }))
}

/** The highest value of a period that the ledger had before a settlement: its registers and what it owes; undefined before the first. */
export async function readValueBefore(
  db: Queryable,
  { agreementId, period, block, logIndex }: Settlement,
): Promise<{ registers: string[]; owedMinor: bigint } | undefined> {
  const { rows } = await db.query(
    `SELECT detail->'registers' AS registers, (detail->>'owed')::numeric AS owed FROM agreement_events
     WHERE agreement_id = $1 AND kind = 'settled' AND period = $2 AND (block, log_index) < ($3, $4::int)
     ORDER BY (detail->>'owed')::numeric DESC, block, log_index LIMIT 1`,
    [bytesOf(agreementId), period, block, logIndex],
  )
  const [row] = rows
  return row && { registers: row.registers, owedMinor: row.owed }
}

/** How far a signed value covers a stream. */
export interface CoveredHead {
  stream: string
  seq: string
}

/** Heads of the value that the event `e` settled, as the node keeps them: of what is signed and not yet forgotten, or once it was settled. */
const HEADS = `coalesce(
  (SELECT v.heads FROM settled_values v WHERE v.agreement_id = e.agreement_id AND v.period = e.period
     AND v.as_of = e.as_of AND v.evidence_head = decode(substr(e.detail->>'evidenceHead', 3), 'hex')),
  (SELECT v.heads FROM meter_values v WHERE v.agreement_id = e.agreement_id AND v.period = e.period
     AND v.as_of = e.as_of AND v.evidence_head = decode(substr(e.detail->>'evidenceHead', 3), 'hex')))`

/** What a settled value covers, and what the one before it did. */
export interface Coverage {
  /** Undefined: somebody else relayed the value, and the node did not keep it. */
  heads: CoveredHead[] | undefined
  /** Of the settled value before it on the ledger: empty if it is the first one, undefined if the node did not keep that one. */
  before: CoveredHead[] | undefined
}

/** The heads of a settlement of the kind `settled`, and of the one before it. */
export async function readCoverage(
  db: Queryable,
  { agreementId, block, logIndex }: Settlement,
): Promise<Coverage> {
  const { rows } = await db.query<{ heads: CoveredHead[] | null }>(
    `SELECT ${HEADS} AS heads FROM agreement_events e
     WHERE e.agreement_id = $1 AND e.kind = 'settled' AND (e.block, e.log_index) <= ($2, $3::int) AND ${TELLING}
     ORDER BY e.block DESC, e.log_index DESC LIMIT 2`,
    [bytesOf(agreementId), block, logIndex],
  )
  const [own, before] = rows
  return { heads: own?.heads ?? undefined, before: before ? (before.heads ?? undefined) : [] }
}

/** Logged envelopes of a stream behind `afterSeq` up to `toSeq`. */
export interface CoveredRange {
  envelopes: number
  readings: number
  /** Log index of the first and the last by `seq`; undefined where there are none. */
  first: bigint | undefined
  last: bigint | undefined
  /** The largest log index of them. */
  newest: bigint | undefined
}

/** Counts the envelopes of a range. */
export async function readRange(
  db: Queryable,
  range: { machineId: bigint; stream: string; afterSeq: bigint; toSeq: bigint },
): Promise<CoveredRange> {
  const { rows } = await db.query(
    `SELECT count(*) AS envelopes, coalesce(sum(readings), 0)::bigint AS readings, max(log_index) AS newest,
       (array_agg(log_index ORDER BY seq, log_index))[1] AS first,
       (array_agg(log_index ORDER BY seq DESC, log_index))[1] AS last
     FROM envelopes WHERE machine_id = $1 AND stream = $2 AND seq > $3 AND seq <= $4`,
    [range.machineId, range.stream, range.afterSeq, range.toSeq],
  )
  const [row] = rows
  return {
    envelopes: Number(row.envelopes),
    readings: Number(row.readings),
    first: row.first ?? undefined,
    last: row.last ?? undefined,
    newest: row.newest ?? undefined,
  }
}

/** The smallest anchor of `log` that covers the leaf `logIndex`; undefined before there is one. */
export async function readAnchorCovering(
  db: Queryable,
  log: Hex,
  logIndex: bigint,
): Promise<{ size: bigint; txHash: Hex; block: number; atMs: number } | undefined> {
  const { rows } = await db.query(
    'SELECT size, tx_hash, block, at_ms FROM anchors WHERE log = $1 AND size > $2 ORDER BY size LIMIT 1',
    [bytesOf(log), logIndex],
  )
  const [row] = rows
  return (
    row && {
      size: row.size,
      txHash: hexOf(row.tx_hash),
      block: Number(row.block),
      atMs: Number(row.at_ms),
    }
  )
}

/** The key of a machine as the ledger had it at a place: what it verified signatures with there. */
export async function readKeyAt(
  db: Queryable,
  machineId: bigint,
  { block, logIndex }: LedgerPlace,
): Promise<{ epoch: bigint; keyId: Hex } | undefined> {
  const { rows } = await db.query(
    `SELECT epoch, key_id FROM machine_keys WHERE machine_id = $1 AND (block, log_index) < ($2, $3::int)
     ORDER BY block DESC, log_index DESC LIMIT 1`,
    [machineId, block, logIndex],
  )
  const [row] = rows
  return row?.key_id ? { epoch: row.epoch, keyId: hexOf(row.key_id) } : undefined
}

/** Hash of a block; undefined for one that the node does not know (any more). */
export async function readBlockHash(db: Queryable, number: number): Promise<Hex | undefined> {
  const { rows } = await db.query('SELECT hash FROM blocks WHERE number = $1', [number])
  return rows[0] && hexOf(rows[0].hash)
}

/** What one envelope was worth: a period of an agreement whose register it moved, and the settlement that first covered it there. */
export interface EnvelopePayment {
  agreementId: Hex
  period: number
  settlement: Settlement | undefined
}

/** A period that an envelope moved, with the columns of the event that paid for it, all null where none did. */
type MovedRow = Pick<EventRow, 'agreement_id' | 'period'> & (EventRow | { kind: null })

/** Settled values of a period that are looked through for the first that covers an envelope. */
const VALUES_SEARCHED = 5_000

/**
 * Which periods of which agreements an envelope has moved, and what paid for each; at most `limit`. A value that covers it is not of before
 * its last reading: of the values since then the first 5,000 are looked through, beyond which it counts as not paid.
 */
export async function readPaymentsOf(
  db: Queryable,
  logIndex: bigint,
  limit: number,
): Promise<EnvelopePayment[]> {
  const { rows } = await db.query<MovedRow>(
    `SELECT p.agreement_id, p.period, s.kind, s.as_of, s.amount, s.detail, s.tx_hash, s.block, s.log_index, s.at_ms
     FROM (
       SELECT m.agreement_id, m.period, e.stream, e.seq, min(CASE WHEN m.covered THEN coalesce(m.last_ms, 0) ELSE 0 END) / 1000 AS last
       FROM envelopes e JOIN metered m USING (digest)
       WHERE e.log_index = $1 AND m.period >= 0 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2 LIMIT $2
     ) p LEFT JOIN agreements a USING (agreement_id) LEFT JOIN LATERAL (
       SELECT e.* FROM (
         SELECT * FROM agreement_events WHERE agreement_id = p.agreement_id AND kind = 'settled' AND period = p.period
           AND as_of >= least(p.last, (a.terms->>'start')::bigint + (p.period::bigint + 1) * (a.terms->>'periodSeconds')::bigint)
         ORDER BY block, log_index LIMIT $3
       ) e
       -- By CASE: what it proved is looked at only once it is known to cover the envelope.
       WHERE CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(${HEADS}) h
           WHERE h->>'stream' = p.stream AND (h->>'seq')::bigint >= p.seq) THEN ${TELLING} END
       ORDER BY e.block, e.log_index LIMIT 1
     ) s ON true ORDER BY p.agreement_id, p.period`,
    [logIndex, limit, VALUES_SEARCHED],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    settlement: row.kind === null ? undefined : toSettlement(row),
  }))
}
