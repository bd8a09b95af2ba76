import { decodeEnvelope, type Hex, type Reading } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { hexOf } from './hex.ts'

/** The newest admitted envelope of a stream that has readings. */
export interface NewestReadings {
  stream: string
  logIndex: bigint
  digest: Hex
  lastMs: number
  readings: Reading[]
}

/** The newest of each of these streams, by the time of its last reading; left out is a stream that has none, or whose newest is archived. */
export async function readNewestReadings(
  db: Queryable,
  machineId: bigint,
  streams: readonly string[],
): Promise<NewestReadings[]> {
  const { rows } = await db.query<{
    stream: string
    log_index: bigint
    digest: Buffer
    last_ms: bigint
    raw: Buffer | null
  }>(
    `SELECT s.stream, e.* FROM unnest($2::text[]) AS s(stream) CROSS JOIN LATERAL (
       SELECT log_index, digest, last_ms, raw FROM envelopes
        WHERE machine_id = $1 AND stream = s.stream AND code = 'OK' AND readings > 0
        ORDER BY last_ms DESC, log_index DESC LIMIT 1) AS e`,
    [machineId, streams],
  )
  return rows.flatMap(({ stream, log_index, digest, last_ms, raw }) => {
    const decoded = raw === null ? undefined : decodeEnvelope(raw)
    if (!decoded?.ok || decoded.envelope.content.kind !== 'readings') return []
    const { readings } = decoded.envelope.content
    return [
      { stream, logIndex: log_index, digest: hexOf(digest), lastMs: Number(last_ms), readings },
    ]
  })
}
