import type { SplitView, SplitViewStatement } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** A real signature of the log is needed for each; whoever has its key may make any number. */
const MOST_KEPT = 16

/** Keeps a contradiction; what is known already, and more than enough of them, changes nothing. */
export async function saveSplitView(db: Queryable, view: SplitView): Promise<void> {
  await db.query(
    `INSERT INTO split_views (size, root, kind, statement, own_size, own_root, own_signed, at_ms)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE (SELECT count(*) FROM split_views) < ${MOST_KEPT}
     ON CONFLICT DO NOTHING`,
    [
      view.size,
      bytesOf(view.root),
      view.kind,
      JSON.stringify(view.statement),
      view.own.size,
      bytesOf(view.own.root),
      view.own.signed === null ? null : Buffer.from(view.own.signed, 'base64'),
      view.atMs,
    ],
  )
}

/** All that are kept, the first found first. */
export async function readSplitViews(db: Queryable): Promise<SplitView[]> {
  const { rows } = await db.query('SELECT * FROM split_views ORDER BY at_ms, size, root')
  return rows.map((row) => ({
    kind: row.kind as SplitView['kind'],
    size: String(row.size),
    root: hexOf(row.root),
    statement: row.statement as SplitViewStatement,
    own: {
      size: String(row.own_size),
      root: hexOf(row.own_root),
      signed: row.own_signed === null ? null : (row.own_signed as Buffer).toString('base64'),
    },
    atMs: Number(row.at_ms),
  }))
}
