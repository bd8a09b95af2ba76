import type pg from 'pg'
import { applicationName } from './database.ts'

/**
 * Ends the connections of processes with roles that stand still in the middle of a COPY for more than 5 s (SIGSTOP, a cable pulled): no
 * timeout of the server reaches them there, and the log's lock would stay held.
 *
 * @returns how many.
 */
export async function endStuckCopies(pool: pg.Pool): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND usename = current_user AND starts_with(application_name, $1)
       AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - interval '5 s'`,
    [applicationName('')],
  )
  return rowCount ?? 0
}
