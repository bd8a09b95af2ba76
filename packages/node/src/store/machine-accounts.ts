import type { Hex, PartyMachine } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

const MACHINES_AT_ONCE = 1_000

/** Notes the accounts of machines that came since it was last called; `accountOf` says where a machine's account stands. */
export async function saveMachineAccounts(
  db: Queryable,
  accountOf: (machineId: bigint) => Hex,
): Promise<void> {
  for (;;) {
    const { rows } = await db.query(
      `SELECT machine_id FROM machines
       WHERE machine_id > (SELECT coalesce(max(machine_id), 0) FROM machine_accounts)
       ORDER BY machine_id LIMIT $1`,
      [MACHINES_AT_ONCE],
    )
    if (rows.length === 0) return
    const machineIds = rows.map((row) => BigInt(row.machine_id))
    const accounts = machineIds.map((machineId) => bytesOf(accountOf(machineId)))
    await db.query(
      `INSERT INTO machine_accounts SELECT * FROM unnest($1::bytea[], $2::numeric[])
       ON CONFLICT DO NOTHING`,
      [accounts, machineIds],
    )
  }
}

/** The machines whose accounts are parties of agreements, by account; those of `parties` alone if they are given. */
export async function readPartyMachines(
  db: Queryable,
  parties?: readonly Hex[],
): Promise<Map<Hex, PartyMachine>> {
  const { rows } = await db.query(
    `SELECT m.account, m.machine_id,
       (SELECT o.owner FROM machine_owners o WHERE o.machine_id = m.machine_id
         ORDER BY o.block DESC, o.log_index DESC LIMIT 1) AS owner
     FROM machine_accounts m
     WHERE CASE WHEN $1::bytea[] IS NULL
       THEN m.account IN (SELECT payer FROM agreements UNION SELECT payee FROM agreements)
       ELSE m.account = ANY($1) END`,
    [parties?.map(bytesOf) ?? null],
  )
  return new Map(
    rows
      .filter(({ owner }) => owner !== null)
      .map((row) => [
        hexOf(row.account),
        { machineId: String(row.machine_id), owner: hexOf(row.owner) },
      ]),
  )
}
