import type { Hex } from '@liquefy/client'
import type { LedgerEvent } from '../chain/events.ts'
import type { VaultEvent, VaultFact } from '../chain/vault-events.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** An event of a vault with its place on the ledger. */
export type PlacedVaultEvent = Extract<LedgerEvent, { kind: 'vault' }>
export type VaultEventOf<Event extends VaultEvent['event']> = Extract<
  PlacedVaultEvent,
  { event: Event }
>

/** Stores what holds of a vault from an event on. */
export async function saveFact(
  db: Queryable,
  { vault, block, logIndex, atMs }: Pick<PlacedVaultEvent, 'vault' | 'block' | 'logIndex' | 'atMs'>,
  name: VaultFact,
  value: unknown,
): Promise<void> {
  await db.query('INSERT INTO vault_facts VALUES ($1, $2, $3, $4, $5, $6)', [
    bytesOf(vault),
    name,
    JSON.stringify(value),
    block,
    logIndex,
    atMs,
  ])
}

/** What holds of a vault, by name, with the time since when. */
export type VaultFacts = Map<VaultFact, { value: unknown; atMs: number }>

/** The newest facts of vaults, by vault. */
export async function readFacts(
  db: Queryable,
  vaults: readonly Hex[],
): Promise<Map<Hex, VaultFacts>> {
  const { rows } = await db.query(
    `SELECT DISTINCT ON (vault, name) vault, name, value, at_ms FROM vault_facts WHERE vault = ANY($1::bytea[])
     ORDER BY vault, name, block DESC, log_index DESC`,
    [vaults.map(bytesOf)],
  )
  const facts = new Map<Hex, VaultFacts>(vaults.map((vault) => [vault, new Map()]))
  for (const { vault, name, value, at_ms } of rows) {
    facts.get(hexOf(vault))?.set(name, { value, atMs: Number(at_ms) })
  }
  return facts
}

/** The newest fact of a name, undefined if there is none. */
export async function readFact<Value>(
  db: Queryable,
  vault: Hex,
  name: VaultFact,
): Promise<Value | undefined> {
  const { rows } = await db.query(
    'SELECT value FROM vault_facts WHERE vault = $1 AND name = $2 ORDER BY block DESC, log_index DESC LIMIT 1',
    [bytesOf(vault), name],
  )
  return rows[0]?.value
}
