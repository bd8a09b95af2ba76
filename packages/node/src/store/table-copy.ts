import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { LiquefyError } from '@liquefy/protocol'
import pg from 'pg'
import { from, to } from 'pg-copy-streams'
import { embeddedUrl } from './embedded-postgres.ts'

/** One table in a backup: its file, its columns in their order, its rows. */
interface CopiedTable {
  name: string
  file: string
  columns: string[]
  rows: number
}

/** A database as one moment saw it. */
export interface CopiedDatabase {
  /** Migrations that built the schema, with their checksums. */
  migrations: { name: string; checksum: string }[]
  tables: CopiedTable[]
}

/** Of the migrations themselves there is a list in the manifest; leases are of processes that run. */
const NOT_COPIED = new Set(['schema_migrations', 'leases'])

/** Where the database of a data folder is: the one given, or the embedded one, whose node must run. @throws LiquefyError `NODE_NOT_RUNNING`. */
export async function databaseUrlOf(dataDir: string, databaseUrl?: string): Promise<string> {
  const url = databaseUrl ?? (await embeddedUrl(dataDir))
  if (url !== undefined) return url
  throw new LiquefyError(
    'NODE_NOT_RUNNING',
    `No database answers for ${dataDir}. Start the node that has it, or name its folder with --data-dir.`,
  )
}

/**
 * Writes every table into `folder`, a file each, in PostgreSQL's binary COPY format: all from one snapshot, which sees the commits before a moment and
 * none after, while others go on writing.
 */
export async function copyTablesOut(
  url: string,
  folder: string,
  onTable: (done: number, all: number) => void,
): Promise<CopiedDatabase> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const { rows: migrations } = await client.query<{ name: string; checksum: string }>(
      'SELECT name, checksum FROM schema_migrations ORDER BY name',
    )
    const columns = await readColumns(client)
    const tables: CopiedTable[] = []
    for (const [name, own] of columns) {
      const file = `${name}.copy`
      const copy = client.query(to(`COPY ${name} (${own.join(', ')}) TO STDOUT (FORMAT binary)`))
      await pipeline(copy, createWriteStream(join(folder, file), { mode: 0o600 }))
      tables.push({ name, file, columns: own, rows: copy.rowCount })
      onTable(tables.length, columns.size)
    }
    await client.query('COMMIT')
    return { migrations, tables }
  } finally {
    await client.end()
  }
}

/**
 * Fills an empty database of the same migrations from `folder`, in one transaction.
 *
 * @throws LiquefyError `BACKUP_OTHER_VERSION` if the database was built by others, `DATABASE_NOT_EMPTY`.
 */
export async function copyTablesIn(
  url: string,
  folder: string,
  { migrations, tables }: CopiedDatabase,
  onTable: (done: number, all: number) => void,
): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('BEGIN')
    const { rows } = await client.query(
      'SELECT name, checksum FROM schema_migrations ORDER BY name',
    )
    if (JSON.stringify(rows) !== JSON.stringify(migrations)) {
      throw new LiquefyError(
        'BACKUP_OTHER_VERSION',
        `The backup is of another version: its newest migration is ${migrations.at(-1)?.name}, this version's is ${rows.at(-1)?.name}. Restore it with the version that made it, then upgrade.`,
      )
    }
    const ordered = await inOrderOfReferences(client, tables)
    for (const [index, { name, file, columns }] of ordered.entries()) {
      const { rows: first } = await client.query(`SELECT 1 FROM ${name} LIMIT 1`)
      if (first.length > 0) {
        throw new LiquefyError(
          'DATABASE_NOT_EMPTY',
          `The database has rows in ${name} already: restore into an empty one.`,
        )
      }
      const copy = client.query(
        from(`COPY ${name} (${columns.join(', ')}) FROM STDIN (FORMAT binary)`),
      )
      await pipeline(createReadStream(join(folder, file)), copy)
      await continueIdentities(client, name)
      onTable(index + 1, tables.length)
    }
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

async function readColumns(client: pg.Client): Promise<Map<string, string[]>> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `SELECT c.table_name AS name, array_agg(c.column_name::text ORDER BY c.ordinal_position) AS columns
       FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
      WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'
      GROUP BY c.table_name ORDER BY c.table_name`,
  )
  return new Map(
    rows.filter(({ name }) => !NOT_COPIED.has(name)).map(({ name, columns }) => [name, columns]),
  )
}

/** A table comes behind those that its rows refer to. */
async function inOrderOfReferences(
  client: pg.Client,
  tables: readonly CopiedTable[],
): Promise<CopiedTable[]> {
  const { rows } = await client.query<{ name: string; refers: string }>(
    `SELECT conrelid::regclass::text AS name, confrelid::regclass::text AS refers
       FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid`,
  )
  const ordered: CopiedTable[] = []
  const placed = new Set<string>()
  while (ordered.length < tables.length) {
    const next = tables.filter(
      ({ name }) =>
        !placed.has(name) && rows.every((row) => row.name !== name || placed.has(row.refers)),
    )
    if (next.length === 0) throw new RangeError('Tables refer to each other in a circle.')
    for (const table of next) placed.add(table.name)
    ordered.push(...next)
  }
  return ordered
}

async function continueIdentities(client: pg.Client, table: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns
      WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'YES'`,
    [table],
  )
  for (const { name } of rows) {
    await client.query(
      `SELECT setval(pg_get_serial_sequence($1, $2), coalesce(max(${name}), 0) + 1, false) FROM ${table}`,
      [table, name],
    )
  }
}
