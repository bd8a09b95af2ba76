import type { Hex } from '@liquefy/client'
import type { KnownVault } from '../chain/vault-watch.ts'
import type { Queryable } from './database.ts'
import { saveGovernanceEvent } from './governance.ts'
import { bytesOf, hexOf } from './hex.ts'
import { saveShareEvent } from './shares.ts'
import { type PlacedVaultEvent, saveFact, type VaultEventOf } from './vault-facts.ts'
import { saveBuyoutEnd, saveCredit, saveIncome, saveSaleEnd } from './vault-income.ts'

/** Stores what happened to a vault. */
export async function saveVaultEvent(db: Queryable, event: PlacedVaultEvent): Promise<void> {
  switch (event.event) {
    case 'created':
      return saveCreated(db, event)
    case 'opened':
      return saveOpened(db, event)
    case 'fact':
      return saveFact(db, event, event.name, factValue(event))
    case 'moved':
    case 'delegated':
    case 'votes':
    case 'allowed':
      return saveShareEvent(db, event)
    case 'income':
      return saveIncome(db, event)
    case 'credit':
      return saveCredit(db, event, event.account, event.minor)
    case 'sale-closed':
      await saveFact(db, event, 'sale-end', { succeeded: event.succeeded })
      return saveSaleEnd(db, event)
    case 'buyout-failed':
    case 'buyout-completed':
      return saveBuyoutEnd(db, event)
    case 'payment':
      return savePayment(db, event)
    case 'proposed':
    case 'voted':
    case 'step':
    case 'operation':
      return saveGovernanceEvent(db, event)
  }
}

/** An offer's time is that of its block. */
function factValue({ name, value, atMs }: VaultEventOf<'fact'>): unknown {
  return name === 'buyout' ? { ...(value as object), offeredMs: atMs } : value
}

async function saveCreated(db: Queryable, event: VaultEventOf<'created'>): Promise<void> {
  const { vault, governor, timelock, founder, name, symbol } = event
  await db.query(
    `INSERT INTO vaults (vault, governor, timelock, founder, name, symbol, block, log_index, tx_hash, at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...[vault, governor, timelock, founder].map(bytesOf),
      name,
      symbol,
      event.block,
      event.logIndex,
      bytesOf(event.txHash),
      event.atMs,
    ],
  )
}

async function saveOpened(db: Queryable, event: VaultEventOf<'opened'>): Promise<void> {
  const { vault, asset, machineIds, block } = event
  await db.query('UPDATE vaults SET asset = $2 WHERE vault = $1', [bytesOf(vault), bytesOf(asset)])
  await db.query(
    `INSERT INTO vault_machines (vault, machine_id, position, block)
     SELECT $1, machine_id, position, $3 FROM unnest($2::numeric[]) WITH ORDINALITY AS m (machine_id, position)`,
    [bytesOf(vault), machineIds, block],
  )
}

async function savePayment(db: Queryable, event: VaultEventOf<'payment'>): Promise<void> {
  const { vault, payment, account, other, shares = 0n, minor = 0n, words = '' } = event
  await db.query(
    'INSERT INTO vault_payments VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [
      bytesOf(vault),
      payment,
      bytesOf(account),
      other ? bytesOf(other) : null,
      shares,
      minor,
      words,
      event.block,
      event.logIndex,
      bytesOf(event.txHash),
      event.atMs,
    ],
  )
  if (payment === 'credit-paid') await saveCredit(db, event, account, -minor)
}

/** Vaults that the tables have up to a block. */
export async function readKnownVaults(db: Queryable, upToBlock: number): Promise<KnownVault[]> {
  const { rows } = await db.query(
    'SELECT vault, governor, timelock, block FROM vaults WHERE block <= $1 ORDER BY block, log_index',
    [upToBlock],
  )
  return rows.map((row) => ({
    vault: hexOf(row.vault),
    governor: hexOf(row.governor),
    timelock: hexOf(row.timelock),
    block: Number(row.block),
  }))
}

/** A vault as it was made. */
export interface VaultRow {
  vault: Hex
  governor: Hex
  timelock: Hex
  founder: Hex
  name: string
  symbol: string
  asset: Hex
  txHash: Hex
  atMs: number
}

const vaultOf = (row: Record<string, Buffer> & Record<string, unknown>): VaultRow => ({
  vault: hexOf(row.vault as Buffer),
  governor: hexOf(row.governor as Buffer),
  timelock: hexOf(row.timelock as Buffer),
  founder: hexOf(row.founder as Buffer),
  name: row.name as unknown as string,
  symbol: row.symbol as unknown as string,
  asset: hexOf(row.asset as Buffer),
  txHash: hexOf(row.tx_hash as Buffer),
  atMs: Number(row.at_ms),
})

/** Undefined: the factory made no such vault. */
export async function readVault(db: Queryable, vault: Hex): Promise<VaultRow | undefined> {
  const { rows } = await db.query('SELECT * FROM vaults WHERE vault = $1', [bytesOf(vault)])
  return rows.map(vaultOf)[0]
}

/** Machines that a vault began with or owns now; `$1` its address. */
const MACHINES_OF = `SELECT m.machine_id, coalesce(n.name, m.machine_id::text) AS name,
    (SELECT o.owner FROM machine_owners o WHERE o.machine_id = m.machine_id ORDER BY o.block DESC, o.log_index DESC LIMIT 1) = m.vault AS held
  FROM (SELECT vault, machine_id FROM vault_machines WHERE vault = ANY($1::bytea[])
        UNION SELECT owner, machine_id FROM machine_owners WHERE owner = ANY($1::bytea[])) m
  LEFT JOIN machine_names n USING (machine_id)`

/** Newest first, of all vaults or those of one machine. */
export async function readVaults(
  db: Queryable,
  page: { machineId?: bigint | undefined; offset: number; limit: number },
): Promise<VaultRow[]> {
  const { rows } = await db.query(
    `SELECT * FROM vaults v WHERE $1::numeric IS NULL OR EXISTS (SELECT FROM vault_machines m WHERE m.vault = v.vault AND m.machine_id = $1)
       OR (SELECT o.owner FROM machine_owners o WHERE o.machine_id = $1 ORDER BY o.block DESC, o.log_index DESC LIMIT 1) = v.vault
     ORDER BY block DESC, log_index DESC OFFSET $2 LIMIT $3`,
    [page.machineId ?? null, page.offset, page.limit],
  )
  return rows.map(vaultOf)
}

/** Vaults of which an account has or had shares, votes or a credit, the newest first. */
export async function readVaultsOf(
  db: Queryable,
  account: Hex,
  limit: number,
): Promise<VaultRow[]> {
  const { rows } = await db.query(
    `SELECT * FROM vaults WHERE vault IN (
       SELECT vault FROM share_moves WHERE account = $1 UNION SELECT vault FROM share_votes WHERE account = $1
       UNION SELECT vault FROM vault_credits WHERE account = $1)
     ORDER BY block DESC, log_index DESC LIMIT $2`,
    [bytesOf(account), limit],
  )
  return rows.map(vaultOf)
}

/** Vaults that an account runs now, the newest first. */
export async function readRunBy(db: Queryable, operator: Hex, limit: number): Promise<Hex[]> {
  const { rows } = await db.query(
    `SELECT v.vault FROM vaults v WHERE (
       SELECT value FROM vault_facts f WHERE f.vault = v.vault AND f.name = 'operator' ORDER BY f.block DESC, f.log_index DESC LIMIT 1
     ) = to_jsonb($1::text) AND v.vault IN (SELECT vault FROM vault_facts WHERE name = 'operator' AND value = to_jsonb($1::text))
     ORDER BY v.block DESC, v.log_index DESC LIMIT $2`,
    [operator, limit],
  )
  return rows.map(({ vault }) => hexOf(vault))
}

export interface VaultMachineRow {
  machineId: bigint
  name: string
  held: boolean
}

/** Machines of vaults, by vault. */
export async function readVaultMachines(
  db: Queryable,
  vaults: readonly Hex[],
): Promise<Map<Hex, VaultMachineRow[]>> {
  const { rows } = await db.query(
    `SELECT m.vault, found.* FROM (SELECT unnest($1::bytea[]) AS vault) m, LATERAL (
       ${MACHINES_OF.replaceAll('ANY($1::bytea[])', 'm.vault')}) found ORDER BY machine_id`,
    [vaults.map(bytesOf)],
  )
  const machines = new Map<Hex, VaultMachineRow[]>()
  for (const row of rows) {
    const vault = hexOf(row.vault)
    const one = { machineId: row.machine_id, name: row.name, held: row.held === true }
    machines.set(vault, [...(machines.get(vault) ?? []), one])
  }
  return machines
}

/** Shares and money that moved between a vault and accounts. */
export interface PaymentRow {
  payment: string
  account: Hex
  other: Hex | null
  shares: bigint
  minor: bigint
  words: string
  block: number
  logIndex: number
  txHash: Hex
  atMs: number
}

/** Payments of a vault in the ledger's order, of one account where it is told. */
export async function readPayments(db: Queryable, vault: Hex, account: Hex): Promise<PaymentRow[]> {
  const { rows } = await db.query(
    'SELECT * FROM vault_payments WHERE vault = $1 AND account = $2 ORDER BY block, log_index',
    [bytesOf(vault), bytesOf(account)],
  )
  return rows.map((row) => ({
    payment: row.kind,
    account: hexOf(row.account),
    other: row.other && hexOf(row.other),
    shares: row.shares,
    minor: row.minor,
    words: row.words,
    block: Number(row.block),
    logIndex: row.log_index,
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
  }))
}

/** Shares bought in the sales of vaults, by vault; those that sold none are absent. */
export async function readSold(db: Queryable, vaults: readonly Hex[]): Promise<Map<Hex, bigint>> {
  const { rows } = await db.query(
    `SELECT vault, sum(shares) AS shares FROM vault_payments
     WHERE vault = ANY($1::bytea[]) AND kind = 'bought' GROUP BY vault`,
    [vaults.map(bytesOf)],
  )
  return new Map(rows.map(({ vault, shares }) => [hexOf(vault), shares]))
}

/** Sums of payments of a vault by kind, of one account. */
export async function readPaymentSums(
  db: Queryable,
  vault: Hex,
  account: Hex,
): Promise<Map<string, { shares: bigint; minor: bigint }>> {
  const { rows } = await db.query(
    `SELECT kind, sum(shares) AS shares, sum(minor) AS minor FROM vault_payments
     WHERE vault = $1 AND account = $2 GROUP BY kind`,
    [bytesOf(vault), bytesOf(account)],
  )
  return new Map(rows.map(({ kind, shares, minor }) => [kind, { shares, minor }]))
}

/** Shares that refused an offer: all, or of one account. */
export async function readRefused(
  db: Queryable,
  vault: Hex,
  offer: string,
  account?: Hex,
): Promise<bigint> {
  const { rows } = await db.query(
    `SELECT coalesce(sum(shares), 0) AS shares FROM vault_payments
     WHERE vault = $1 AND kind = 'refused' AND words = $2 AND ($3::bytea IS NULL OR account = $3)`,
    [bytesOf(vault), offer, account ? bytesOf(account) : null],
  )
  return rows[0].shares
}
