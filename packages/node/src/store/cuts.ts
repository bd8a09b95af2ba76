import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf } from './hex.ts'

/** How many leaves of the log count under a revoked key. */
interface Cut {
  signerId: bigint
  epoch: bigint
  size: bigint
}

/** Cuts of the revoked keys of some machines: the largest size that `log` anchored in a block before that of the revocation. */
export async function readCuts(
  db: Queryable,
  log: Hex,
  signerIds: readonly bigint[],
): Promise<Cut[]> {
  const { rows } = await db.query(
    `SELECT k.machine_id, k.epoch, coalesce(max(a.size), 0) AS size
     FROM machine_keys k LEFT JOIN anchors a ON a.log = $1 AND a.block < k.block
     WHERE k.key_id IS NULL AND k.machine_id = ANY ($2::numeric[])
     GROUP BY k.machine_id, k.epoch ORDER BY k.machine_id, k.epoch`,
    [bytesOf(log), signerIds.map(String)],
  )
  return rows.map((row) => ({
    signerId: BigInt(row.machine_id),
    epoch: row.epoch,
    size: row.size,
  }))
}

/** One text for the same cuts. */
export function cutsText(cuts: readonly Cut[]): string {
  return cuts.map(({ signerId, epoch, size }) => `${signerId}/${epoch}/${size}`).join(' ')
}

/** The size under one key epoch, of a text that `cutsText` wrote; undefined if it was not revoked. */
export function cutSizes(text: string): (signerId: bigint, epoch: bigint) => bigint | undefined {
  const sizes = new Map(
    text.split(' ').flatMap((cut) => {
      const [signerId, epoch, size] = cut.split('/')
      return size === undefined ? [] : [[`${signerId}/${epoch}`, BigInt(size)] as const]
    }),
  )
  return (signerId, epoch) => sizes.get(`${signerId}/${epoch}`)
}
