import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** Where the contracts are, as JSON, and the account that signs and anchors the log. */
interface StoredDeployment {
  contracts: string
  log: Hex
}

/** Undefined until a process with keys has told it. */
export async function readDeployment(db: Queryable): Promise<StoredDeployment | undefined> {
  const { rows } = await db.query('SELECT contracts, log FROM deployment')
  return rows[0] && { contracts: rows[0].contracts, log: hexOf(rows[0].log) }
}

/** Tells it, if nobody has yet. */
export async function saveDeployment(
  db: Queryable,
  { contracts, log }: StoredDeployment,
): Promise<void> {
  await db.query('INSERT INTO deployment (contracts, log) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    contracts,
    bytesOf(log),
  ])
}

/** How far the tables hold the ledger. -1 before the first block. */
export interface LedgerProgress {
  included: number
  final: number
  /** The ledger's newest block, as seen last. */
  head: number
  /** Since the tables were level with it. */
  levelSeconds: number
}

export async function saveProgress(db: Queryable, progress: LedgerProgress): Promise<void> {
  await db.query(
    `INSERT INTO ledger_progress (included, final, head, level_at)
     VALUES ($1, $2, $3, clock_timestamp() - $4 * interval '1 s')
     ON CONFLICT (one) DO UPDATE SET included = EXCLUDED.included, final = EXCLUDED.final,
       head = EXCLUDED.head, level_at = EXCLUDED.level_at`,
    [progress.included, progress.final, progress.head, progress.levelSeconds],
  )
}

/** Undefined while nobody has followed the ledger. */
export async function readProgress(db: Queryable): Promise<LedgerProgress | undefined> {
  const { rows } = await db.query(
    `SELECT included, final, head, extract(epoch FROM clock_timestamp() - level_at)::float8 AS level_seconds
     FROM ledger_progress`,
  )
  const [row] = rows
  return (
    row && {
      included: Number(row.included),
      final: Number(row.final),
      head: Number(row.head),
      levelSeconds: row.level_seconds,
    }
  )
}
