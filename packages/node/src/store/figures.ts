import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf } from './hex.ts'
import { readLogHead } from './log.ts'
import { readUnsettled } from './meter-values.ts'
import { readOutboxCounts } from './overview.ts'

/** What an operator watches, as the database has it. Times in ms since 1970; undefined where there is none yet. */
export interface Figures {
  logSize: bigint
  anchoredSize: bigint
  anchorMs: number | undefined
  checkpointMs: number | undefined
  outbox: Record<string, number>
  /** When the oldest intent was asked for that is not in a block. */
  pendingSinceMs: number | undefined
  /** Accepted meter values that go beyond what is on the ledger and that no intent carries yet. */
  unsettled: number
  unsettledSinceMs: number | undefined
  /** Logged envelopes of metered streams that no fold has read yet, one for each fold. */
  foldLag: number
  /** Frames and connections turned away of all time, by code; `DUPLICATE` is not among them. */
  refusals: Record<string, number>
  databaseBytes: number
  /** Kept contradictions to the log. */
  splitViews: number
}

/**
 * Reads them.
 *
 * @param log account of the log, whose anchors count.
 * @param asset token of the agreements that the node settles; undefined: any.
 */
export async function readFigures(
  db: Queryable,
  { log, asset }: { log: Hex; asset: Hex | undefined },
): Promise<Figures> {
  const [head, outbox, unsettled, refusals, rest] = await Promise.all([
    readLogHead(db),
    readOutboxCounts(db),
    readUnsettled(db, Number.MAX_SAFE_INTEGER, asset),
    db.query(
      `SELECT code, sum(count) AS count FROM refusal_counts WHERE code <> 'DUPLICATE' GROUP BY code`,
    ),
    readRest(db, log),
  ])
  const oldest = Math.min(...unsettled.map(({ oldestMs }) => oldestMs))
  return {
    logSize: head.size,
    outbox,
    unsettled: unsettled.length,
    unsettledSinceMs: unsettled.length === 0 ? undefined : oldest,
    refusals: Object.fromEntries(refusals.rows.map((row) => [row.code, Number(row.count)])),
    ...rest,
  }
}

async function readRest(db: Queryable, log: Hex) {
  const { rows } = await db.query(
    `SELECT
       (SELECT size FROM anchors WHERE log = $1 ORDER BY size DESC LIMIT 1) AS anchored,
       (SELECT at_ms FROM anchors WHERE log = $1 ORDER BY size DESC LIMIT 1) AS anchor_ms,
       (SELECT timestamp FROM checkpoints ORDER BY size DESC LIMIT 1) AS checkpoint_ms,
       (SELECT min(created_ms) FROM outbox WHERE status IN ('queued', 'sent')) AS pending_ms,
       (SELECT coalesce(sum(behind.envelopes), 0) FROM folds f
          CROSS JOIN LATERAL (SELECT count(*) AS envelopes FROM envelopes e
            WHERE e.machine_id = f.machine_id AND e.stream = f.stream AND e.log_index > f.cursor) behind
          WHERE NOT EXISTS (SELECT FROM agreement_events c
            WHERE c.agreement_id = f.agreement_id AND c.kind = 'closed')) AS fold_lag,
       (SELECT count(*) FROM split_views) AS split_views,
       pg_database_size(current_database()) AS bytes`,
    [bytesOf(log)],
  )
  const [row] = rows
  const optional = (value: bigint | null) => (value === null ? undefined : Number(value))
  return {
    anchoredSize: (row.anchored ?? 0n) as bigint,
    anchorMs: optional(row.anchor_ms),
    checkpointMs: optional(row.checkpoint_ms),
    pendingSinceMs: optional(row.pending_ms),
    foldLag: Number(row.fold_lag),
    databaseBytes: Number(row.bytes),
    splitViews: Number(row.split_views),
  }
}
