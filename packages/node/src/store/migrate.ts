import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { LiquefyError } from '@liquefy/protocol'
import type { Pool } from 'pg'

/** Any number, as long as no other program on this database uses it for an advisory lock. */
const MIGRATION_LOCK = 7_158_201

/** A migration file is not the one that this database was built with. */
class MigrationChangedError extends LiquefyError {
  constructor(name: string) {
    super(
      'MIGRATION_CHANGED',
      `The database was built with another version of ${name}. Check out the version that built it, add the change as a new file, or start with an empty data folder.`,
    )
  }
}

/** The database knows migrations that this version does not. */
class SchemaNewerError extends LiquefyError {
  constructor(name: string) {
    super(
      'SCHEMA_NEWER',
      `The database was migrated by a newer version (${name}), which this one would damage. Start that version or a later one, or restore the backup made before the upgrade.`,
    )
  }
}

/**
 * Brings the database to the newest schema: runs the `*.sql` files of `folder` in order of name, each once and in a
 * transaction of its own, and remembers their SHA-256.
 *
 * Several nodes may start at once: an advisory lock lets one of them migrate while the others wait.
 *
 * @throws SchemaNewerError if one ran that `folder` does not have, MigrationChangedError if one has changed since it ran.
 */
export async function migrate(pool: Pool, folder: URL, nowMs: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  if (names.length === 0) {
    throw new LiquefyError('MIGRATIONS_MISSING', `No migrations in ${folder.pathname}: reinstall.`)
  }
  const client = await pool.connect()
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK])
    await client.query(
      'CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_ms bigint NOT NULL)',
    )
    const applied = new Map<string, string>()
    for (const row of (await client.query('SELECT name, checksum FROM schema_migrations')).rows) {
      applied.set(row.name, row.checksum)
    }
    for (const name of applied.keys()) if (!names.includes(name)) throw new SchemaNewerError(name)
    for (const name of names) {
      const sql = await readFile(new URL(name, folder), 'utf8')
      const checksum = createHash('sha256').update(sql).digest('hex')
      const before = applied.get(name)
      if (before === checksum) continue
      if (before !== undefined) throw new MigrationChangedError(name)
      await client.query('BEGIN')
      await client.query(sql)
      await client.query(
        'INSERT INTO schema_migrations (name, checksum, applied_ms) VALUES ($1, $2, $3)',
        [name, checksum, nowMs],
      )
      await client.query('COMMIT')
    }
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK])
    client.release()
  } catch (error) {
    // Closing the connection rolls back and drops the lock, whatever state it was in.
    client.release(true)
    throw error
  }
}
