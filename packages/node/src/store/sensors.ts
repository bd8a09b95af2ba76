import type { DecimalFraction, Replacement, SensorDeclaration } from '@liquefy/protocol'
import type { Connection } from './copy.ts'
import type { Queryable } from './database.ts'
import type { LogEntry } from './envelopes.ts'

/** What an admitted envelope declared of its stream's sensor. */
export interface SensorRow extends Pick<LogEntry, 'logIndex' | 'machineId' | 'stream' | 'seq'> {
  declaration: SensorDeclaration
}

/** A replacement where it stands in the log. */
export interface LoggedReplacement extends Omit<Replacement, 'kind' | 'reason'> {
  stream: string
  seq: bigint
  logIndex: bigint
}

/** So many of a stream decide what is in force: a fold keeps no more certificates than that either. */
const LOOK_BACK = 64

/** Keeps what streams declared of their sensors, as it was logged. */
export async function insertSensorDeclarations(
  transaction: Connection,
  rows: readonly SensorRow[],
): Promise<void> {
  if (rows.length === 0) return
  const certificates = rows.map(({ declaration }) =>
    declaration.kind === 'calibration' ? Buffer.from(declaration.certificate) : null,
  )
  const replacement = <T>(field: (replacement: Replacement) => T | undefined) =>
    rows.map(({ declaration }) =>
      declaration.kind === 'replacement' ? (field(declaration) ?? null) : null,
    )
  await transaction.query(
    `INSERT INTO sensor_declarations (log_index, machine_id, stream, seq, certificate, replaced_ms, old_part, new_part,
       last_mantissa, last_exponent, first_mantissa, first_exponent)
     SELECT * FROM unnest($1::bigint[], $2::numeric[], $3::text[], $4::bigint[], $5::bytea[], $6::bigint[], $7::text[], $8::text[],
       $9::numeric[], $10::smallint[], $11::numeric[], $12::smallint[])`,
    [
      rows.map(({ logIndex }) => logIndex),
      rows.map(({ machineId }) => machineId),
      rows.map(({ stream }) => stream),
      rows.map(({ seq }) => seq),
      certificates,
      replacement(({ atMs }) => atMs),
      replacement(({ oldPart }) => oldPart),
      replacement(({ newPart }) => newPart),
      replacement(({ handover }) => handover?.last.mantissa),
      replacement(({ handover }) => handover?.last.exponent),
      replacement(({ handover }) => handover?.first.mantissa),
      replacement(({ handover }) => handover?.first.exponent),
    ],
  )
}

/** The newest that each stream of a machine declared of its sensor, in the order of `seq`; of replacements only what decides on certificates. */
export async function readSensorDeclarations(
  db: Queryable,
  machineId: bigint,
): Promise<Map<string, SensorDeclaration[]>> {
  const { rows } = await db.query(
    `SELECT stream, certificate, replaced_ms, new_part FROM (
       SELECT *, row_number() OVER (PARTITION BY stream ORDER BY seq DESC) AS place
       FROM sensor_declarations WHERE machine_id = $1
     ) newest WHERE place <= $2 ORDER BY stream, seq`,
    [machineId, LOOK_BACK],
  )
  const declared = new Map<string, SensorDeclaration[]>()
  for (const row of rows) {
    const ofStream = declared.get(row.stream) ?? []
    declared.set(row.stream, ofStream)
    ofStream.push(
      row.certificate === null
        ? {
            kind: 'replacement',
            atMs: Number(row.replaced_ms),
            reason: '',
            ...(row.new_part !== null && { newPart: row.new_part }),
          }
        : { kind: 'calibration', certificate: new Uint8Array(row.certificate) },
    )
  }
  return declared
}

/** The replacements of a machine's parts, the newest logged first: before `beforeIndex` if given. */
export async function readReplacements(
  db: Queryable,
  { machineId, beforeIndex, limit }: { machineId: bigint; beforeIndex?: bigint; limit: number },
): Promise<LoggedReplacement[]> {
  const { rows } = await db.query(
    `SELECT * FROM sensor_declarations
     WHERE machine_id = $1 AND replaced_ms IS NOT NULL AND ($2::bigint IS NULL OR log_index < $2)
     ORDER BY log_index DESC LIMIT $3`,
    [machineId, beforeIndex ?? null, limit],
  )
  return rows.map((row) => ({
    stream: row.stream,
    seq: row.seq,
    logIndex: row.log_index,
    atMs: Number(row.replaced_ms),
    ...(row.old_part !== null && { oldPart: row.old_part as string }),
    ...(row.new_part !== null && { newPart: row.new_part as string }),
    ...(row.last_mantissa !== null && {
      handover: {
        last: decimalOf(row.last_mantissa, row.last_exponent),
        first: decimalOf(row.first_mantissa, row.first_exponent),
      },
    }),
  }))
}

function decimalOf(mantissa: string | bigint, exponent: number): DecimalFraction {
  return { mantissa: BigInt(mantissa), exponent }
}
