import type { Hex, VaultPhase } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import { readSupply, SCALE } from './shares.ts'
import { type PlacedVaultEvent, readFact, saveFact, type VaultEventOf } from './vault-facts.ts'

/** An offer for all shares, as its fact stands. */
export interface StoredOffer {
  offer: string
  offerer: Hex
  price: string
  deposit: string
  /** Seconds. */
  refuseBy: number
  offeredMs: number
  end?: 'refused' | 'completed'
}

/** Stores an income, and the lender's part as his credit; that of a sole owner is his. */
export async function saveIncome(db: Queryable, event: VaultEventOf<'income'>): Promise<void> {
  const { vault, minor, split } = event
  const soleOwner = await soleOwnerOf(db, vault)
  await db.query(
    'INSERT INTO vault_incomes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
    [
      bytesOf(vault),
      minor,
      split.reserve,
      split.lender,
      split.fees,
      split.owners,
      soleOwner ? bytesOf(soleOwner) : null,
      event.block,
      event.logIndex,
      bytesOf(event.txHash),
      event.atMs,
    ],
  )
  if (soleOwner) return saveCredit(db, event, soleOwner, minor)
  if (split.lender === 0n) return
  const waterfall = await readFact<{ lender: Hex }>(db, vault, 'waterfall')
  if (waterfall) await saveCredit(db, event, waterfall.lender, split.lender)
}

/** Whose income is when the vault is not, or no longer, many people's. */
async function soleOwnerOf(db: Queryable, vault: Hex): Promise<Hex | undefined> {
  const phase = await readFact<VaultPhase>(db, vault, 'phase')
  if (phase === 'bought-out') return (await readFact<StoredOffer>(db, vault, 'buyout'))?.offerer
  if (phase !== 'failed') return undefined
  const { rows } = await db.query('SELECT founder FROM vaults WHERE vault = $1', [bytesOf(vault)])
  return hexOf(rows[0].founder)
}

/** Adds to what an account may be paid beside its shares; `minor` is negative where it was paid. */
export async function saveCredit(
  db: Queryable,
  { vault, block, logIndex }: Pick<PlacedVaultEvent, 'vault' | 'block' | 'logIndex'>,
  account: Hex,
  minor: bigint,
): Promise<void> {
  await db.query('INSERT INTO vault_credits VALUES ($1, $2, $3, $4, $5)', [
    bytesOf(vault),
    bytesOf(account),
    minor,
    block,
    logIndex,
  ])
}

/** What was sold is the founder's, if the sale succeeded. */
export async function saveSaleEnd(
  db: Queryable,
  event: VaultEventOf<'sale-closed'>,
): Promise<void> {
  if (!event.succeeded) return
  const { rows } = await db.query('SELECT founder FROM vaults WHERE vault = $1', [
    bytesOf(event.vault),
  ])
  await saveCredit(db, event, hexOf(rows[0].founder), event.proceeds)
}

/** What an offer's end leaves the offerer: his deposit, or what of it and of the reserve is not the others'. */
export async function saveBuyoutEnd(
  db: Queryable,
  event: VaultEventOf<'buyout-failed' | 'buyout-completed'>,
): Promise<void> {
  const { vault } = event
  const offer = await readFact<StoredOffer>(db, vault, 'buyout')
  if (!offer) throw new RangeError(`Vault ${vault} ended an offer that it was not made.`)
  if (event.event === 'buyout-failed') {
    await saveCredit(db, event, offer.offerer, BigInt(offer.deposit))
    return saveFact(db, event, 'buyout', { ...offer, end: 'refused' } satisfies StoredOffer)
  }
  const { rows } = await db.query(
    `SELECT coalesce((SELECT shares FROM share_moves WHERE vault = $1 AND account = $2 ORDER BY block DESC, log_index DESC LIMIT 1), 0) AS shares`,
    [bytesOf(vault), bytesOf(offer.offerer)],
  )
  const others = (await readSupply(db, vault)) - rows[0].shares
  const reserve = await readReserve(db, vault)
  const rest = BigInt(offer.deposit) - others * BigInt(offer.price)
  await saveCredit(db, event, offer.offerer, rest + reserve)
  await saveFact(db, event, 'buyout', { ...offer, end: 'completed' } satisfies StoredOffer)
}

/** What income has put into the reserve, less what was spent of it. A buy-out takes all of it. */
export async function readReserve(db: Queryable, vault: Hex): Promise<bigint> {
  const { rows } = await db.query(
    `SELECT (SELECT coalesce(sum(reserve), 0) FROM vault_incomes WHERE vault = $1)
          - (SELECT coalesce(sum(minor), 0) FROM vault_payments WHERE vault = $1 AND kind = 'spent') AS reserve`,
    [bytesOf(vault)],
  )
  return BigInt(rows[0].reserve)
}

/**
 * Records what a share earned by the incomes of one block, which is known once the whole block is stored: it is of those who hold shares at
 * its end. Divides as the contract does: downward, with what is left carried to the next.
 */
export async function recordIncome(
  db: Queryable,
  blockEvents: readonly PlacedVaultEvent[],
): Promise<void> {
  const incomes = blockEvents.filter((event) => event.event === 'income')
  for (const vault of new Set(incomes.map((event) => event.vault))) {
    const last = incomes.findLast((event) => event.vault === vault)
    if (last) await recordVaultIncome(db, last)
  }
}

async function recordVaultIncome(db: Queryable, last: VaultEventOf<'income'>): Promise<void> {
  const { vault, block } = last
  const earned = await db.query(
    'SELECT coalesce(sum(owners), 0) AS owners FROM vault_incomes WHERE vault = $1 AND block = $2 AND sole_owner IS NULL',
    [bytesOf(vault), block],
  )
  const owners = BigInt(earned.rows[0].owners)
  if (owners === 0n) return
  const { rows } = await db.query(
    'SELECT per_share, remainder FROM income_records WHERE vault = $1 AND block < $2 ORDER BY block DESC LIMIT 1',
    [bytesOf(vault), block],
  )
  const before = rows[0] ?? { per_share: 0n, remainder: 0n }
  const supply = await readSupply(db, vault, { block })
  const scaled = owners * SCALE + before.remainder
  await db.query('INSERT INTO income_records VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
    bytesOf(vault),
    block,
    last.logIndex,
    owners,
    supply,
    before.per_share + scaled / supply,
    scaled % supply,
    bytesOf(last.txHash),
    last.atMs,
  ])
}

/** What a share has earned by a block, cumulated, scaled by 2^96. */
export interface IncomeRecord {
  block: number
  logIndex: number
  owners: bigint
  supply: bigint
  perShare: bigint
  txHash: Hex
  atMs: number
}

/** In the ledger's order. */
export async function readIncomeRecords(db: Queryable, vault: Hex): Promise<IncomeRecord[]> {
  const { rows } = await db.query('SELECT * FROM income_records WHERE vault = $1 ORDER BY block', [
    bytesOf(vault),
  ])
  return rows.map((row) => ({
    block: Number(row.block),
    logIndex: row.log_index,
    owners: row.owners,
    supply: row.supply,
    perShare: row.per_share,
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
  }))
}

interface Parts {
  minor: bigint
  reserve: bigint
  lender: bigint
  fees: bigint
  owners: bigint
}

export interface IncomeRow extends Parts {
  cumulated: bigint
  cumulatedOwners: bigint
  supply: bigint
  soleOwner: Hex | null
  block: number
  logIndex: number
  txHash: Hex
  atMs: number
}

const partsOf = (row: Record<string, bigint | string>): Parts => ({
  minor: BigInt(row.minor ?? 0n),
  reserve: BigInt(row.reserve ?? 0n),
  lender: BigInt(row.lender ?? 0n),
  fees: BigInt(row.fees ?? 0n),
  owners: BigInt(row.owners ?? 0n),
})

/** Incomes of a vault, newest first, before a place on the ledger where one is told. */
export async function readIncomes(
  db: Queryable,
  vault: Hex,
  page: { before?: { block: number; logIndex: number } | undefined; limit: number },
): Promise<IncomeRow[]> {
  const { block, logIndex } = page.before ?? { block: Number.MAX_SAFE_INTEGER, logIndex: 0 }
  const { rows } = await db.query(
    `SELECT i.*, coalesce(r.supply, 0) AS supply
     FROM (SELECT *, sum(minor) OVER upward AS cumulated, sum(owners) OVER upward AS cumulated_owners
           FROM vault_incomes WHERE vault = $1 AND (block, log_index) < ($2, $3)
           WINDOW upward AS (ORDER BY block, log_index)
           ORDER BY block DESC, log_index DESC LIMIT $4) i
     LEFT JOIN income_records r USING (vault, block)
     ORDER BY i.block DESC, i.log_index DESC`,
    [bytesOf(vault), block, logIndex, page.limit],
  )
  return rows.map((row) => ({
    ...partsOf(row),
    cumulated: BigInt(row.cumulated),
    cumulatedOwners: BigInt(row.cumulated_owners),
    supply: row.supply,
    soleOwner: row.sole_owner && hexOf(row.sole_owner),
    block: Number(row.block),
    logIndex: row.log_index,
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
  }))
}

const SUMS = `coalesce(sum(minor), 0) AS minor, coalesce(sum(reserve), 0) AS reserve, coalesce(sum(lender), 0) AS lender,
  coalesce(sum(fees), 0) AS fees, coalesce(sum(owners), 0) AS owners`

/** Sums of all incomes, by vault; those without any are absent. */
export async function readIncomeSums(
  db: Queryable,
  vaults: readonly Hex[],
): Promise<Map<Hex, Parts>> {
  const { rows } = await db.query(
    `SELECT vault, ${SUMS} FROM vault_incomes WHERE vault = ANY($1::bytea[]) GROUP BY vault`,
    [vaults.map(bytesOf)],
  )
  return new Map(rows.map((row) => [hexOf(row.vault), partsOf(row)]))
}

/** Income by calendar month in UTC, the oldest first. */
export async function readMonths(
  db: Queryable,
  vault: Hex,
): Promise<(Parts & { month: string })[]> {
  const { rows } = await db.query(
    `SELECT to_char(to_timestamp(at_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM') AS month, ${SUMS}
     FROM vault_incomes WHERE vault = $1 GROUP BY month ORDER BY month`,
    [bytesOf(vault)],
  )
  return rows.map((row) => ({ ...partsOf(row), month: row.month }))
}

/** What a lender has been paid since the waterfall that names him was set. */
export async function readLenderSince(db: Queryable, vault: Hex): Promise<bigint> {
  const { rows } = await db.query(
    `SELECT coalesce(sum(lender), 0) AS lender FROM vault_incomes WHERE vault = $1 AND (block, log_index) > (
       SELECT block, log_index FROM vault_facts WHERE vault = $1 AND name = 'waterfall' ORDER BY block DESC, log_index DESC LIMIT 1)`,
    [bytesOf(vault)],
  )
  return BigInt(rows[0].lender)
}

/** What accounts may be paid beside their shares, the most first; of one account where it is told. */
export async function readCredits(
  db: Queryable,
  vault: Hex,
  account?: Hex,
): Promise<{ account: Hex; minor: bigint }[]> {
  const { rows } = await db.query(
    `SELECT account, sum(minor) AS minor FROM vault_credits WHERE vault = $1 AND ($2::bytea IS NULL OR account = $2)
     GROUP BY account HAVING sum(minor) > 0 ORDER BY minor DESC, account LIMIT 200`,
    [bytesOf(vault), account ? bytesOf(account) : null],
  )
  return rows.map((row) => ({ account: hexOf(row.account), minor: BigInt(row.minor) }))
}
