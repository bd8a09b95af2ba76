import type { DecimalFraction, Replacement } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import type { LogEntry } from './envelopes.ts'

/** A replacement where it stands in the log. */
export interface LoggedReplacement extends Omit<Replacement, 'kind' | 'reason'> {
  stream: string
  seq: bigint
  logIndex: bigint
}

/** Keeps what admitted envelopes say of replaced parts. */
export async function insertReplacements(
  transaction: Queryable,
  rows: readonly { entry: LogEntry; replacement: Replacement }[],
): Promise<void> {
  for (const { entry, replacement } of rows) {
    const { atMs, oldPart, newPart, handover } = replacement
    await transaction.query(
      'INSERT INTO replacements VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
      [
        entry.logIndex,
        entry.machineId,
        entry.stream,
        entry.seq,
        atMs,
        oldPart ?? null,
        newPart ?? null,
        handover?.last.mantissa ?? null,
        handover?.last.exponent ?? null,
        handover?.first.mantissa ?? null,
        handover?.first.exponent ?? null,
      ],
    )
  }
}

/** The replacements of a machine's parts, the newest logged first: before `beforeIndex` if given. */
export async function readReplacements(
  db: Queryable,
  { machineId, beforeIndex, limit }: { machineId: bigint; beforeIndex?: bigint; limit: number },
): Promise<LoggedReplacement[]> {
  const { rows } = await db.query(
    `SELECT * FROM replacements WHERE machine_id = $1 AND ($2::bigint IS NULL OR log_index < $2)
     ORDER BY log_index DESC LIMIT $3`,
    [machineId, beforeIndex ?? null, limit],
  )
  return rows.map((row) => ({
    stream: row.stream,
    seq: row.seq,
    logIndex: row.log_index,
    atMs: Number(row.at_ms),
    ...(row.old_part !== null && { oldPart: row.old_part as string }),
    ...(row.new_part !== null && { newPart: row.new_part as string }),
    ...(row.last_mantissa !== null && {
      handover: {
        last: decimalOf(row.last_mantissa, row.last_exponent),
        first: decimalOf(row.first_mantissa, row.first_exponent),
      },
    }),
  }))
}

function decimalOf(mantissa: string | bigint, exponent: number): DecimalFraction {
  return { mantissa: BigInt(mantissa), exponent }
}
