import type { Hex } from '@liquefy/client'
import { zeroAddress } from 'viem'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import type { VaultEventOf } from './vault-facts.ts'

type ShareEvent = VaultEventOf<'moved' | 'delegated' | 'votes' | 'allowed'>

/** Under the zero account stand all shares that exist. */
const ALL = zeroAddress

/** Stores what happened to shares. */
export async function saveShareEvent(db: Queryable, event: ShareEvent): Promise<void> {
  const { vault, block, logIndex } = event
  switch (event.event) {
    case 'moved': {
      const { from, to, shares } = event
      if (from === to) return
      await saveMove(db, event, from, from === ALL ? shares : -shares, to)
      await saveMove(db, event, to, to === ALL ? -shares : shares, from)
      return
    }
    case 'delegated':
      await db.query('INSERT INTO share_delegates VALUES ($1, $2, $3, $4, $5)', [
        bytesOf(vault),
        bytesOf(event.account),
        bytesOf(event.to),
        block,
        logIndex,
      ])
      return
    case 'votes':
      await db.query('INSERT INTO share_votes VALUES ($1, $2, $3, $4, $5, $6)', [
        bytesOf(vault),
        bytesOf(event.account),
        event.votes,
        block,
        logIndex,
        event.atMs,
      ])
      return
    case 'allowed':
      // Anybody may call himself the operator of a vault of his own making.
      await db.query(
        `INSERT INTO share_allowed SELECT $1, $2, $3, $4, $5 WHERE EXISTS (SELECT FROM vaults WHERE vault = $1)`,
        [bytesOf(vault), bytesOf(event.account), event.allowed, block, logIndex],
      )
  }
}

async function saveMove(
  db: Queryable,
  event: VaultEventOf<'moved'>,
  account: Hex,
  delta: bigint,
  other: Hex,
): Promise<void> {
  const { vault, block, logIndex, txHash, atMs } = event
  await db.query(
    `INSERT INTO share_moves (vault, account, delta, shares, other, per_share, block, log_index, tx_hash, at_ms)
     SELECT $1, $2, $3::numeric,
       $3::numeric + coalesce((SELECT shares FROM share_moves WHERE vault = $1 AND account = $2 ORDER BY block DESC, log_index DESC LIMIT 1), 0),
       $4, coalesce((SELECT per_share FROM income_records WHERE vault = $1 AND block < $5 ORDER BY block DESC LIMIT 1), 0),
       $5, $6, $7, $8`,
    [
      bytesOf(vault),
      bytesOf(account),
      delta,
      bytesOf(other),
      block,
      logIndex,
      bytesOf(txHash),
      atMs,
    ],
  )
}

/** All shares of a vault that exist at the end of a block, or before a moment; now unless told. */
export async function readSupply(
  db: Queryable,
  vault: Hex,
  until: { block?: number; ms?: number } = {},
): Promise<bigint> {
  const { rows } = await db.query(
    `SELECT shares FROM share_moves WHERE vault = $1 AND account = $2
       AND ($3::bigint IS NULL OR block <= $3) AND ($4::bigint IS NULL OR at_ms <= $4)
     ORDER BY block DESC, log_index DESC LIMIT 1`,
    [bytesOf(vault), bytesOf(ALL), until.block ?? null, until.ms ?? null],
  )
  return rows[0]?.shares ?? 0n
}

/** Shares in existence and accounts that hold any, by vault. */
export async function readHolderCounts(
  db: Queryable,
  vaults: readonly Hex[],
): Promise<Map<Hex, { supply: bigint; owners: number }>> {
  const { rows } = await db.query(
    `SELECT vault, sum(shares) FILTER (WHERE account = $2) AS supply,
            count(*) FILTER (WHERE account <> $2 AND shares > 0)::int AS owners
     FROM (SELECT DISTINCT ON (vault, account) vault, account, shares FROM share_moves WHERE vault = ANY($1::bytea[])
           ORDER BY vault, account, block DESC, log_index DESC) held GROUP BY vault`,
    [vaults.map(bytesOf), bytesOf(ALL)],
  )
  return new Map(
    rows.map(({ vault, supply, owners }) => [hexOf(vault), { supply: supply ?? 0n, owners }]),
  )
}

/** Shares of one owner of a vault, and what they have earned: whole smallest units, paid out or not. */
export interface OwnerRow {
  account: Hex
  shares: bigint
  earnedMinor: bigint
  claimedMinor: bigint
  /** Zero address: nobody. */
  delegate: Hex
}

/** Fractions of a smallest unit that the ledger counts in. */
export const SCALE = 2n ** 96n

/** Owners of a vault, the largest first, of these those who claimed last; of one account where it is told, holder or not. */
export async function readOwnersOf(
  db: Queryable,
  vault: Hex,
  page: { account?: Hex; offset: number; limit: number },
): Promise<OwnerRow[]> {
  const { rows } = await db.query(
    `WITH now AS (SELECT coalesce((SELECT per_share FROM income_records WHERE vault = $1 ORDER BY block DESC LIMIT 1), 0) AS per_share),
      held AS (
        SELECT account, sum(delta) AS shares, sum(delta * (now.per_share - m.per_share)) AS earned
        FROM share_moves m, now WHERE vault = $1 AND account <> $2 AND ($3::bytea IS NULL OR account = $3) GROUP BY account),
      shown AS (
        SELECT * FROM held WHERE shares > 0 OR $3::bytea IS NOT NULL ORDER BY shares DESC, account OFFSET $4 LIMIT $5)
     SELECT shown.*,
       (SELECT coalesce(sum(minor), 0) FROM vault_payments p WHERE p.vault = $1 AND p.account = shown.account AND kind = 'claimed') AS claimed,
       (SELECT delegate FROM share_delegates d WHERE d.vault = $1 AND d.account = shown.account ORDER BY block DESC, log_index DESC LIMIT 1) AS delegate
     FROM shown ORDER BY shares DESC, account`,
    [
      bytesOf(vault),
      bytesOf(ALL),
      page.account ? bytesOf(page.account) : null,
      page.offset,
      page.limit,
    ],
  )
  return rows.map((row) => ({
    account: hexOf(row.account),
    shares: row.shares,
    earnedMinor: BigInt(row.earned) / SCALE,
    claimedMinor: row.claimed,
    delegate: row.delegate ? hexOf(row.delegate) : zeroAddress,
  }))
}

/** What owners together may claim. Each has his own fraction of a smallest unit left, which he cannot. */
export async function readClaimable(db: Queryable, vault: Hex): Promise<bigint> {
  const { rows } = await db.query(
    `WITH now AS (SELECT coalesce((SELECT per_share FROM income_records WHERE vault = $1 ORDER BY block DESC LIMIT 1), 0) AS per_share)
     SELECT coalesce(sum(div(earned, $3::numeric)), 0) - (
       SELECT coalesce(sum(minor), 0) FROM vault_payments WHERE vault = $1 AND kind = 'claimed') AS claimable
     FROM (SELECT sum(delta * (now.per_share - m.per_share)) AS earned
           FROM share_moves m, now WHERE vault = $1 AND account <> $2 GROUP BY account) owners`,
    [bytesOf(vault), bytesOf(ALL), SCALE],
  )
  return BigInt(rows[0].claimable)
}

/** Shares of an account that moved, in the ledger's order. */
export interface MoveRow {
  delta: bigint
  shares: bigint
  other: Hex
  block: number
  logIndex: number
  txHash: Hex
  atMs: number
}

export async function readMoves(db: Queryable, vault: Hex, account: Hex): Promise<MoveRow[]> {
  const { rows } = await db.query(
    'SELECT * FROM share_moves WHERE vault = $1 AND account = $2 ORDER BY block, log_index',
    [bytesOf(vault), bytesOf(account)],
  )
  return rows.map((row) => ({
    delta: row.delta,
    shares: row.shares,
    other: hexOf(row.other),
    block: Number(row.block),
    logIndex: row.log_index,
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
  }))
}

/** Votes of an account, its own and those delegated to it, as of a moment; now unless told. */
export async function readVotes(
  db: Queryable,
  vault: Hex,
  account: Hex,
  atMs?: number,
): Promise<bigint> {
  const { rows } = await db.query(
    `SELECT votes FROM share_votes WHERE vault = $1 AND account = $2 AND ($3::bigint IS NULL OR at_ms <= $3)
     ORDER BY block DESC, log_index DESC LIMIT 1`,
    [bytesOf(vault), bytesOf(account), atMs ?? null],
  )
  return rows[0]?.votes ?? 0n
}

/** Accounts on a vault's allow-list, in the order of their addresses. */
export async function readAllowed(
  db: Queryable,
  vault: Hex,
  page: { offset: number; limit: number },
): Promise<Hex[]> {
  const { rows } = await db.query(
    `SELECT account FROM (
       SELECT DISTINCT ON (account) account, allowed FROM share_allowed WHERE vault = $1 ORDER BY account, block DESC, log_index DESC) newest
     WHERE allowed ORDER BY account OFFSET $2 LIMIT $3`,
    [bytesOf(vault), page.offset, page.limit],
  )
  return rows.map(({ account }) => hexOf(account))
}
