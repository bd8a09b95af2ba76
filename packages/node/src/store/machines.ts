import type { MachineState } from '@liquefy/client'
import type { Queryable } from './database.ts'

/** One row of a machine's key history: a key, or (`keyId` null) the revocation of the epoch's key. */
export interface KeyRow {
  epoch: bigint
  keyId: Buffer | null
  curve: number | null
  x: Buffer | null
  y: Buffer | null
  /** What still counts under the keys before: last envelope of each stream. */
  heads: { stream: string; seq: string; digest: string }[]
}

/** What the ledger says of a machine, as far as verifying needs it. */
export interface MachineRow {
  machineId: bigint
  /** 0: signs for itself. */
  controller: bigint
  state: MachineState
  /** Why it is suspended; null if it is not, or nobody said why. */
  suspendedFor: string | null
  /** 20 bytes; null if the ledger has told of none. */
  owner: Buffer | null
  /** In the order of the ledger. */
  keys: KeyRow[]
}

/** Joins the reason `r` to a state `s`: the contract tells it in the log behind that of the state. */
export const WITH_REASON = `LEFT JOIN suspension_reasons r
  ON r.machine_id = s.machine_id AND r.block = s.block AND r.log_index = s.log_index + 1`

/** Reads machines with their state and whole key history; ids that the ledger does not know are absent. */
export async function readMachines(
  database: Queryable,
  machineIds: readonly bigint[],
): Promise<MachineRow[]> {
  const answer = await database.query(
    `SELECT m.machine_id, m.controller,
            s.state, CASE WHEN s.state = 'suspended' THEN s.reason END AS suspended_for,
            (SELECT o.owner FROM machine_owners o WHERE o.machine_id = m.machine_id
              ORDER BY o.block DESC, o.log_index DESC LIMIT 1) AS owner,
            k.epoch, k.key_id, k.curve, k.x, k.y, k.heads
       FROM machines m
       LEFT JOIN machine_keys k ON k.machine_id = m.machine_id
       LEFT JOIN LATERAL (
         SELECT s.state, r.reason FROM machine_states s ${WITH_REASON}
          WHERE s.machine_id = m.machine_id ORDER BY s.block DESC, s.log_index DESC LIMIT 1) s ON true
      WHERE m.machine_id = ANY($1::numeric[])
      ORDER BY m.machine_id, k.block, k.log_index`,
    [machineIds],
  )
  const machines = new Map<bigint, MachineRow>()
  for (const row of answer.rows) {
    let machine = machines.get(row.machine_id)
    if (machine === undefined) {
      const state: MachineState = row.state ?? 'registered'
      const { machine_id: machineId, controller, owner, suspended_for: suspendedFor } = row
      machine = { machineId, controller, state, suspendedFor, owner, keys: [] }
      machines.set(machine.machineId, machine)
    }
    if (row.epoch === null) continue
    machine.keys.push({
      epoch: row.epoch,
      keyId: row.key_id,
      curve: row.curve,
      x: row.x,
      y: row.y,
      heads: row.heads,
    })
  }
  return [...machines.values()]
}
