import type { Queryable } from './database.ts'

/** One frame (or connection) that was turned away. */
export interface Refusal {
  /** 0: no known machine could be named. */
  machineId: bigint
  code: string
  message: string
  atMs: number
  /** How often since the last record of it, of which this is the sample; 1 if absent. */
  times?: number | undefined
  /** What was sent, cut to its first 1,024 bytes when stored. */
  sample?: Uint8Array | undefined
}

/** How often a code was given to a machine. */
export interface RefusalCount {
  machineId: bigint
  code: string
  count: bigint
}

const SAMPLES_PER_CODE = 20
const SAMPLE_BYTES = 1_024
const MESSAGE_LENGTH = 500

/**
 * Counts refusals for ever and keeps the newest few of each machine and code as samples.
 * `duplicates` are counted under the code `DUPLICATE`, without samples: they are no one's fault.
 */
export async function recordRefusals(
  database: Queryable,
  refusals: readonly Refusal[],
  duplicates: readonly { machineId: bigint; count: number }[] = [],
): Promise<void> {
  const groups = new Map<string, { machineId: bigint; code: string; all: Refusal[] }>()
  for (const refusal of refusals) {
    const key = `${refusal.machineId} ${refusal.code}`
    const group = groups.get(key) ?? {
      machineId: refusal.machineId,
      code: refusal.code,
      all: [],
    }
    group.all.push(refusal)
    groups.set(key, group)
  }
  const counts = [
    ...[...groups.values()].map(({ machineId, code, all }) => ({
      machineId,
      code,
      count: all.reduce((sum, { times }) => sum + (times ?? 1), 0),
    })),
    ...duplicates.map(({ machineId, count }) => ({ machineId, code: 'DUPLICATE', count })),
  ]
  if (counts.length === 0) return
  await addCounts(database, counts)
  if (groups.size === 0) return
  await insertSamples(
    database,
    [...groups.values()].flatMap(({ all }) => all.slice(-SAMPLES_PER_CODE)),
  )
  await dropOldSamples(database, [...groups.values()])
}

async function addCounts(
  database: Queryable,
  counts: readonly { machineId: bigint; code: string; count: number }[],
): Promise<void> {
  await database.query(
    `INSERT INTO refusal_counts (machine_id, code, count)
     SELECT machine_id, code, sum(count) FROM unnest($1::numeric[], $2::text[], $3::bigint[]) AS c (machine_id, code, count)
      GROUP BY machine_id, code ORDER BY machine_id, code
     ON CONFLICT (machine_id, code) DO UPDATE SET count = refusal_counts.count + EXCLUDED.count`,
    [
      counts.map(({ machineId }) => machineId),
      counts.map(({ code }) => code),
      counts.map(({ count }) => count),
    ],
  )
}

async function insertSamples(database: Queryable, samples: readonly Refusal[]): Promise<void> {
  await database.query(
    `INSERT INTO refusals (machine_id, code, message, at_ms, sample)
     SELECT * FROM unnest($1::numeric[], $2::text[], $3::text[], $4::bigint[], $5::bytea[])`,
    [
      samples.map(({ machineId }) => machineId),
      samples.map(({ code }) => code),
      // PostgreSQL has no NUL in text, and a message may quote what was sent.
      samples.map(({ message }) => message.replaceAll('\0', '').slice(0, MESSAGE_LENGTH)),
      samples.map(({ atMs }) => atMs),
      samples.map(({ sample }) =>
        sample === undefined ? null : Buffer.from(sample.subarray(0, SAMPLE_BYTES)),
      ),
    ],
  )
}

async function dropOldSamples(
  database: Queryable,
  groups: readonly { machineId: bigint; code: string }[],
): Promise<void> {
  await database.query(
    `DELETE FROM refusals WHERE id IN (
       SELECT id FROM (
         SELECT r.id, row_number() OVER (PARTITION BY r.machine_id, r.code ORDER BY r.id DESC) AS age
           FROM refusals r
           JOIN unnest($1::numeric[], $2::text[]) AS g (machine_id, code)
             ON r.machine_id = g.machine_id AND r.code = g.code) AS ranked
        WHERE age > $3)`,
    [groups.map(({ machineId }) => machineId), groups.map(({ code }) => code), SAMPLES_PER_CODE],
  )
}

/** Counts by machine and code, `DUPLICATE` among them; of one machine if given. */
export async function readRefusalCounts(
  database: Queryable,
  machineId?: bigint,
): Promise<RefusalCount[]> {
  const answer = await database.query(
    `SELECT machine_id, code, count FROM refusal_counts
      WHERE $1::numeric IS NULL OR machine_id = $1 ORDER BY machine_id, code`,
    [machineId ?? null],
  )
  return answer.rows.map((row) => ({
    machineId: row.machine_id,
    code: row.code,
    count: row.count,
  }))
}

/** When something was last refused from each machine, ms; of one machine if given. */
export async function readLastRefusals(
  database: Queryable,
  machineId?: bigint,
): Promise<Map<bigint, number>> {
  const answer = await database.query(
    `SELECT machine_id, max(at_ms) AS at_ms FROM refusals
      WHERE $1::numeric IS NULL OR machine_id = $1 GROUP BY machine_id`,
    [machineId ?? null],
  )
  return new Map(answer.rows.map((row) => [BigInt(row.machine_id), Number(row.at_ms)]))
}

/** The newest samples of a machine, newest first. */
export async function readRefusals(
  database: Queryable,
  machineId: bigint,
  limit: number,
): Promise<(Refusal & { id: bigint; sample: Buffer | undefined })[]> {
  const answer = await database.query(
    'SELECT * FROM refusals WHERE machine_id = $1 ORDER BY id DESC LIMIT $2',
    [machineId, limit],
  )
  return answer.rows.map((row) => ({
    id: row.id,
    machineId: row.machine_id,
    code: row.code,
    message: row.message,
    atMs: Number(row.at_ms),
    sample: row.sample ?? undefined,
  }))
}
