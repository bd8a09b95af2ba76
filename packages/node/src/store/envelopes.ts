import type { AdmissionCode, Envelope, Hex } from '@liquefy/protocol'
import { type Connection, copyRows, TupleWriter } from './copy.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** An envelope as it enters the log. */
export interface LoggedRow {
  logIndex: bigint
  epoch: bigint
  loggedAt: number
  code: AdmissionCode
  /** The other columns, by `writeEnvelopeFields`. */
  fields: Uint8Array
}

/** Where an envelope stands in the log. */
export interface LogEntry {
  logIndex: bigint
  digest: Hex
  machineId: bigint
  stream: string
  seq: bigint
  loggedAt: number
  code: AdmissionCode
  /** To its sender, of `MACHINE_SUSPENDED`: what the owner gave as the reason. Not stored with it. */
  reason?: string | undefined
}

/** A logged envelope without its bytes. Times in ms since 1970; a declaration's are its from and to. */
export interface EnvelopeRow extends LogEntry {
  signerId: bigint
  kid: Hex
  epoch: bigint
  prev: Hex
  iat: number
  firstMs: number
  lastMs: number
  readings: number
}

/** First of its (stream, seq): what later envelopes of the stream are admitted by. */
export interface ChainLink {
  machineId: bigint
  stream: string
  seq: bigint
  digest: Hex
  prev: Hex
}

/** What an `EnvelopeRow` is made of. */
export const COLUMNS =
  'log_index, digest, machine_id, stream, signer_id, kid, epoch, seq, prev, iat, first_ms, last_ms, readings, logged_at, code'

/** Which of these digests are logged, and where. */
export async function findByDigest(
  database: Queryable,
  digests: readonly Hex[],
): Promise<Map<Hex, LogEntry>> {
  if (digests.length === 0) return new Map()
  const answer = await database.query(
    `SELECT ${COLUMNS} FROM envelopes WHERE digest = ANY($1::bytea[])`,
    [digests.map(bytesOf)],
  )
  return new Map(answer.rows.map((row) => [hexOf(row.digest), envelopeOf(row)]))
}

/** For each (machine, stream, seq) the envelope that was logged first there, if any. */
export async function findChainLinks(
  database: Queryable,
  places: readonly { machineId: bigint; stream: string; seq: bigint }[],
): Promise<ChainLink[]> {
  if (places.length === 0) return []
  const answer = await database.query(
    `SELECT DISTINCT ON (e.machine_id, e.stream, e.seq) e.machine_id, e.stream, e.seq, e.digest, e.prev
       FROM unnest($1::numeric[], $2::text[], $3::bigint[]) AS p (machine_id, stream, seq)
       JOIN envelopes e ON e.machine_id = p.machine_id AND e.stream = p.stream AND e.seq = p.seq
      ORDER BY e.machine_id, e.stream, e.seq, e.log_index`,
    [
      places.map(({ machineId }) => machineId),
      places.map(({ stream }) => stream),
      places.map(({ seq }) => seq),
    ],
  )
  return answer.rows.map((row) => ({
    machineId: row.machine_id,
    stream: row.stream,
    seq: row.seq,
    digest: hexOf(row.digest),
    prev: hexOf(row.prev),
  }))
}

/** The end of each stream that has one: the largest `seq`, and the digest first logged there. */
export async function findStreamHeads(
  database: Queryable,
  streams: readonly { machineId: bigint; stream: string }[],
): Promise<{ machineId: bigint; stream: string; seq: bigint; digest: Hex }[]> {
  const answer = await database.query(
    `SELECT p.machine_id, p.stream, e.seq, e.digest
       FROM unnest($1::numeric[], $2::text[]) AS p (machine_id, stream)
      CROSS JOIN LATERAL (
        SELECT seq, digest FROM envelopes
         WHERE machine_id = p.machine_id AND stream = p.stream ORDER BY seq DESC, log_index LIMIT 1) AS e`,
    [streams.map(({ machineId }) => machineId), streams.map(({ stream }) => stream)],
  )
  return answer.rows.map((row) => ({
    machineId: row.machine_id,
    stream: row.stream,
    seq: row.seq,
    digest: hexOf(row.digest),
  }))
}

/** From this on an envelope's readings are far apart: there is an index of such. */
export const LONG_MS = 3_600_000
const WRITTEN_FIELDS =
  'digest, machine_id, stream, signer_id, kid, seq, prev, iat, first_ms, last_ms, readings, declaration, raw'
const ROW_FIELDS = `log_index, epoch, logged_at, code, ${WRITTEN_FIELDS}`
const ROW_LENGTH = ROW_FIELDS.split(',').length
/** More than the fields that `insertEnvelopes` itself writes need. */
const OWN_BYTES = 80

/** Writes the columns of an envelope's row that follow from its bytes. */
export function writeEnvelopeFields(
  writer: TupleWriter,
  envelope: Envelope,
  raw: Uint8Array,
): void {
  const { firstMs, lastMs, readings } = spanOf(envelope)
  writer.hex(envelope.digest)
  writer.numeric(envelope.machineId)
  writer.text(envelope.stream)
  writer.numeric(envelope.iss.machineId)
  writer.hex(envelope.kid)
  writer.int8(envelope.seq)
  writer.hex(envelope.prev)
  writer.int8(envelope.iat)
  writer.int8(firstMs)
  writer.int8(lastMs)
  writer.int4(readings)
  writer.bool(envelope.content.kind === 'declaration')
  writer.bytea(raw)
}

/** Appends envelopes to the table of logged ones. */
export async function insertEnvelopes(
  transaction: Connection,
  rows: readonly LoggedRow[],
): Promise<void> {
  const size = rows.reduce((sum, { fields }) => sum + fields.length + OWN_BYTES, 0)
  const writer = new TupleWriter(size)
  for (const { logIndex, epoch, loggedAt, code, fields } of rows) {
    writer.tuple(ROW_LENGTH)
    writer.int8(logIndex)
    writer.int8(epoch)
    writer.int8(loggedAt)
    writer.text(code)
    writer.fields(fields)
  }
  await copyRows(transaction, `envelopes (${ROW_FIELDS})`, writer.written())
}

/** Times of the first and last reading, ms since 1970 (of a declaration: its from and to; of a certificate: when it was declared), and how many readings there are. */
export function spanOf({ content, iat }: Envelope): {
  firstMs: number
  lastMs: number
  readings: number
} {
  if (content.kind === 'declaration') {
    const { declaration } = content
    if (declaration.kind === 'calibration') {
      return { firstMs: iat * 1000, lastMs: iat * 1000, readings: 0 }
    }
    return declaration.kind === 'replacement'
      ? { firstMs: declaration.atMs, lastMs: declaration.atMs, readings: 0 }
      : { firstMs: declaration.fromMs, lastMs: declaration.toMs, readings: 0 }
  }
  const { readings } = content
  const firstMs = readings[0]?.timeMs ?? 0
  return { firstMs, lastMs: readings.at(-1)?.timeMs ?? firstMs, readings: readings.length }
}

/** A machine's envelopes, newest first: before `beforeIndex`, of one stream if given. */
export async function listEnvelopes(
  database: Queryable,
  query: {
    machineId: bigint
    stream?: string | undefined
    beforeIndex?: bigint | undefined
    limit: number
  },
): Promise<EnvelopeRow[]> {
  const answer = await database.query(
    `SELECT ${COLUMNS} FROM envelopes
      WHERE machine_id = $1 AND ($2::text IS NULL OR stream = $2) AND ($3::bigint IS NULL OR log_index < $3)
      ORDER BY log_index DESC LIMIT $4`,
    [query.machineId, query.stream ?? null, query.beforeIndex ?? null, query.limit],
  )
  return answer.rows.map(envelopeOf)
}

/** An envelope with its bytes; null if these were archived or erased. */
export type StoredEnvelope = EnvelopeRow & { raw: Buffer | null; isErased: boolean }

function storedOf(
  row: Parameters<typeof envelopeOf>[0] & { raw: Buffer | null; erasure_id: number | null },
): StoredEnvelope {
  return { ...envelopeOf(row), raw: row.raw, isErased: row.erasure_id !== null }
}

/** The bytes and the place of one logged envelope. */
export async function readEnvelope(
  database: Queryable,
  logIndex: bigint,
): Promise<StoredEnvelope | undefined> {
  const answer = await database.query(
    `SELECT ${COLUMNS}, raw, erasure_id FROM envelopes WHERE log_index = $1`,
    [logIndex],
  )
  const row = answer.rows[0]
  return row === undefined ? undefined : storedOf(row)
}

/** The next envelopes of a stream in the order of the log, with their bytes: after `afterIndex` (-1: from the first). */
export async function readStream(
  database: Queryable,
  query: { machineId: bigint; stream: string; afterIndex: bigint; limit: number },
): Promise<StoredEnvelope[]> {
  const answer = await database.query(
    `SELECT ${COLUMNS}, raw, erasure_id FROM envelopes
      WHERE machine_id = $1 AND stream = $2 AND log_index > $3 ORDER BY log_index LIMIT $4`,
    [query.machineId, query.stream, query.afterIndex, query.limit],
  )
  return answer.rows.map(storedOf)
}

/** Envelopes of one stream from one `seq` to another, both included. */
interface Stretch {
  machineId: bigint
  stream: string
  from: bigint
  to: bigint
}

/** Of those that a machine signs under one number, so many are told of: the first, and others as proof. */
const MOST_OF_ONE_SEQ = 4

/** Where the last envelope of a stretch stands in the log, and the first whose bytes were archived or erased. */
export async function stretchFacts(
  database: Queryable,
  { machineId, stream, from, to }: Stretch,
): Promise<{
  lastIndex: bigint | undefined
  firstGone: Pick<StoredEnvelope, 'logIndex' | 'isErased'> | undefined
}> {
  const { rows } = await database.query(
    `SELECT max(log_index) AS last, min(log_index) FILTER (WHERE raw IS NULL) AS gone,
            min(log_index) FILTER (WHERE erasure_id IS NOT NULL) AS erased FROM envelopes
      WHERE machine_id = $1 AND stream = $2 AND seq BETWEEN $3 AND $4`,
    [machineId, stream, from, to],
  )
  const { last, gone, erased } = rows[0]
  return {
    lastIndex: last ?? undefined,
    firstGone: gone === null ? undefined : { logIndex: gone, isErased: gone === erased },
  }
}

/** The envelopes of a stretch with their bytes, in order of `seq`, those of one number in the order of the log. */
export async function readStretch(
  database: Queryable,
  { machineId, stream, from, to }: Stretch,
): Promise<StoredEnvelope[]> {
  const { rows } = await database.query(
    `SELECT * FROM (
       SELECT ${COLUMNS}, raw, erasure_id, row_number() OVER (PARTITION BY seq ORDER BY log_index) AS place FROM envelopes
        WHERE machine_id = $1 AND stream = $2 AND seq BETWEEN $3 AND $4) AS numbered
      WHERE place <= ${MOST_OF_ONE_SEQ} ORDER BY seq, log_index`,
    [machineId, stream, from, to],
  )
  return rows.map(storedOf)
}

/** What was logged of one stream. Times are those of its first reading and its last. */
export interface StreamFigures {
  stream: string
  envelopes: number
  /** Where its first envelope stands in the log. */
  firstIndex: bigint
  lastSeq: bigint
  firstMs: number
  lastMs: number
  unit: string | null
}

/**
 * A machine's streams with what was logged of each, by the ends of indexes: a machine has half a million envelopes a year, of which only the number is
 * counted. The first reading is in the first hour of a chart, and an envelope that has it ends soon after that or is a long one.
 */
export async function readStreams(
  database: Queryable,
  machineId: bigint,
): Promise<StreamFigures[]> {
  const answer = await database.query(
    `WITH RECURSIVE names AS (
       (SELECT stream FROM envelopes WHERE machine_id = $1 ORDER BY stream LIMIT 1)
       UNION ALL
       SELECT (SELECT e.stream FROM envelopes e WHERE e.machine_id = $1 AND e.stream > n.stream ORDER BY e.stream LIMIT 1)
         FROM names n WHERE n.stream IS NOT NULL
     )
     SELECT n.stream, of.*,
            coalesce(least(
              (SELECT min(first_ms) FROM envelopes e WHERE e.machine_id = $1 AND e.stream = n.stream AND code = 'OK' AND readings > 0
                  AND last_ms >= of.hour_ms AND last_ms < of.hour_ms + 2 * ${LONG_MS}),
              (SELECT min(first_ms) FROM envelopes e WHERE e.machine_id = $1 AND e.stream = n.stream AND code = 'OK' AND readings > 0
                  AND last_ms - first_ms > ${LONG_MS})), of.last_ms) AS first_ms
       FROM names n CROSS JOIN LATERAL (SELECT
         (SELECT count(*) FROM envelopes e WHERE e.machine_id = $1 AND e.stream = n.stream) AS envelopes,
         (SELECT min(log_index) FROM envelopes e WHERE e.machine_id = $1 AND e.stream = n.stream) AS first_index,
         (SELECT max(seq) FROM envelopes e WHERE e.machine_id = $1 AND e.stream = n.stream) AS last_seq,
         (SELECT max(last_ms) FROM envelopes e WHERE e.machine_id = $1 AND e.stream = n.stream) AS last_ms,
         (SELECT min(hour_ms) FROM hour_rollups r WHERE r.machine_id = $1 AND r.stream = n.stream) AS hour_ms,
         (SELECT nullif(r.unit, '') FROM hour_rollups r WHERE r.machine_id = $1 AND r.stream = n.stream
           ORDER BY r.hour_ms DESC, r.unit LIMIT 1) AS unit) AS of
      WHERE n.stream IS NOT NULL ORDER BY n.stream`,
    [machineId],
  )
  return answer.rows.map((row) => ({
    stream: row.stream,
    envelopes: Number(row.envelopes),
    firstIndex: row.first_index,
    lastSeq: row.last_seq,
    firstMs: Number(row.first_ms),
    lastMs: Number(row.last_ms),
    unit: row.unit,
  }))
}

/** How many envelopes were logged, by admission code; of one machine if given. */
export async function countEnvelopes(
  database: Queryable,
  machineId?: bigint,
): Promise<Record<string, number>> {
  const answer = await database.query(
    'SELECT code, count(*) AS count FROM envelopes WHERE $1::numeric IS NULL OR machine_id = $1 GROUP BY code',
    [machineId ?? null],
  )
  return Object.fromEntries(answer.rows.map((row) => [row.code, Number(row.count)]))
}

/** A row of the columns of an `EnvelopeRow`. */
export function envelopeOf(row: {
  log_index: bigint
  digest: Buffer
  machine_id: bigint
  stream: string
  signer_id: bigint
  kid: Buffer
  epoch: bigint
  seq: bigint
  prev: Buffer
  iat: bigint
  first_ms: bigint
  last_ms: bigint
  readings: number
  logged_at: bigint
  code: string
}): EnvelopeRow {
  return {
    logIndex: row.log_index,
    digest: hexOf(row.digest),
    machineId: row.machine_id,
    stream: row.stream,
    signerId: row.signer_id,
    kid: hexOf(row.kid),
    epoch: row.epoch,
    seq: row.seq,
    prev: hexOf(row.prev),
    iat: Number(row.iat),
    firstMs: Number(row.first_ms),
    lastMs: Number(row.last_ms),
    readings: row.readings,
    loggedAt: Number(row.logged_at),
    // Only the pipeline writes this column, and only with admission codes.
    code: row.code as AdmissionCode,
  }
}
