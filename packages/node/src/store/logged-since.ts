import type { Queryable } from './database.ts'

/** Streams in which something was logged from a place in the log on, and the place behind what was looked at. */
export async function readLoggedSince(
  db: Queryable,
  fromIndex: bigint,
  limit: number,
): Promise<{ streams: { machineId: bigint; stream: string }[]; nextIndex: bigint }> {
  const { rows } = await db.query(
    `SELECT machine_id, stream, max(log_index) AS newest FROM (
       SELECT machine_id, stream, log_index FROM envelopes WHERE log_index >= $1 ORDER BY log_index LIMIT $2
     ) e GROUP BY machine_id, stream`,
    [fromIndex, limit],
  )
  const streams = rows.map((row) => ({ machineId: BigInt(row.machine_id), stream: row.stream }))
  const newest = rows.reduce((most, row) => (row.newest > most ? row.newest : most), fromIndex - 1n)
  return { streams, nextIndex: newest + 1n }
}
