import type { Queryable } from './database.ts'

/** What was logged of a machine. */
export interface MachineFigures {
  /** The one that it published first in front. */
  streams: string[]
  envelopes: number
  /** Newest time of a reading, ms since 1970. */
  lastMs: number
}

/**
 * Reads what was logged of all machines. The log only grows: what was counted once is kept, and each read counts what came since the one before it,
 * so that only the first one of a process looks at the whole log.
 */
export function createStreamFigures(
  db: Queryable,
): () => Promise<ReadonlyMap<bigint, Readonly<MachineFigures>>> {
  const machines = new Map<bigint, MachineFigures>()
  let countedTo = -1n
  let reading: Promise<void> = Promise.resolve()

  async function countOn(): Promise<void> {
    const { rows } = await db.query(
      `SELECT machine_id, stream, count(*) AS envelopes, max(last_ms) AS last_ms, max(log_index) AS newest
       FROM envelopes WHERE log_index > $1 GROUP BY machine_id, stream ORDER BY min(log_index)`,
      [countedTo],
    )
    for (const row of rows) {
      const id = BigInt(row.machine_id)
      const known = machines.get(id) ?? { streams: [], envelopes: 0, lastMs: 0 }
      machines.set(id, {
        streams: known.streams.includes(row.stream)
          ? known.streams
          : [...known.streams, row.stream],
        envelopes: known.envelopes + Number(row.envelopes),
        lastMs: Math.max(known.lastMs, Number(row.last_ms)),
      })
      if (row.newest > countedTo) countedTo = row.newest
    }
  }

  return async () => {
    // One after the other, or an envelope would count twice; one that failed keeps nobody from asking again.
    const mine = reading.then(countOn)
    reading = mine.catch(() => undefined)
    await mine
    return new Map(machines)
  }
}
