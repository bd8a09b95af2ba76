import type { SensorDeclaration } from '@liquefy/protocol'
import type { Connection } from './copy.ts'
import type { Queryable } from './database.ts'
import type { LogEntry } from './envelopes.ts'

/** What an admitted envelope declared of its stream's sensor. */
export interface SensorRow extends Pick<LogEntry, 'logIndex' | 'machineId' | 'stream' | 'seq'> {
  declaration: SensorDeclaration
}

/** So many of a stream decide what is in force: a fold keeps no more certificates than that either. */
const LOOK_BACK = 64

/** Keeps what streams declared of their sensors, as it was logged. */
export async function insertSensorDeclarations(
  transaction: Connection,
  rows: readonly SensorRow[],
): Promise<void> {
  if (rows.length === 0) return
  const declared = rows.map(({ declaration }) => declaration)
  await transaction.query(
    `INSERT INTO sensor_declarations (log_index, machine_id, stream, seq, certificate, replaced_ms, new_part)
     SELECT * FROM unnest($1::bigint[], $2::numeric[], $3::text[], $4::bigint[], $5::bytea[], $6::bigint[], $7::text[])`,
    [
      rows.map(({ logIndex }) => logIndex),
      rows.map(({ machineId }) => machineId),
      rows.map(({ stream }) => stream),
      rows.map(({ seq }) => seq),
      declared.map((one) => (one.kind === 'calibration' ? Buffer.from(one.certificate) : null)),
      declared.map((one) => (one.kind === 'replacement' ? one.atMs : null)),
      declared.map((one) => (one.kind === 'replacement' ? (one.newPart ?? null) : null)),
    ],
  )
}

/** The newest that each stream of a machine declared of its sensor, in the order of `seq`. */
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
