import type { Hex } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

type OutboxStatus = 'queued' | 'sent' | 'included' | 'final' | 'reverted'

/** What shall happen on the ledger. The sender makes the id, so that asking twice is asking once. */
export interface Intent {
  intentId: string
  kind: string
  to?: Hex
  data: Hex
}

/** An intent and what has become of it. */
export interface OutboxEntry {
  intentId: string
  kind: string
  to: Hex | undefined
  data: Hex
  nonce: number | undefined
  raw: Hex | undefined
  txHash: Hex | undefined
  /** Hashes of the same nonce with lower fees. */
  earlier: Hex[]
  status: OutboxStatus
  block: number | undefined
  error: string | undefined
  updatedMs: number
}

interface Row {
  intent_id: string
  kind: string
  to_address: Buffer | null
  data: Buffer
  nonce: bigint | null
  raw: Buffer | null
  tx_hash: Buffer | null
  earlier: Buffer[]
  status: OutboxStatus
  block: bigint | null
  error: string | null
  updated_ms: bigint
}

const optionalHex = (bytes: Buffer | null): Hex | undefined => (bytes ? hexOf(bytes) : undefined)
const optionalNumber = (value: bigint | null): number | undefined =>
  value === null ? undefined : Number(value)

function entryOf(row: Row): OutboxEntry {
  return {
    intentId: row.intent_id,
    kind: row.kind,
    to: optionalHex(row.to_address),
    data: hexOf(row.data),
    nonce: optionalNumber(row.nonce),
    raw: optionalHex(row.raw),
    txHash: optionalHex(row.tx_hash),
    earlier: row.earlier.map(hexOf),
    status: row.status,
    block: optionalNumber(row.block),
    error: row.error ?? undefined,
    updatedMs: Number(row.updated_ms),
  }
}

/** Stores an intent; true if it is new. */
export async function insertIntent(db: Queryable, intent: Intent, nowMs: number): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO outbox (intent_id, kind, to_address, data, created_ms, updated_ms)
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING`,
    [
      intent.intentId,
      intent.kind,
      intent.to ? bytesOf(intent.to) : null,
      bytesOf(intent.data),
      nowMs,
    ],
  )
  return rowCount === 1
}

export async function readIntent(
  db: Queryable,
  intentId: string,
): Promise<OutboxEntry | undefined> {
  const { rows } = await db.query('SELECT * FROM outbox WHERE intent_id = $1', [intentId])
  return rows[0] ? entryOf(rows[0]) : undefined
}

/** Intents that have no transaction yet, in the order of asking. */
export async function readQueued(db: Queryable): Promise<OutboxEntry[]> {
  const { rows } = await db.query(
    `SELECT * FROM outbox WHERE status = 'queued' ORDER BY position LIMIT 500`,
  )
  return rows.map(entryOf)
}

/** Intents whose transaction is sent, or included and not final, by nonce. */
export async function readPending(db: Queryable): Promise<OutboxEntry[]> {
  const { rows } = await db.query(
    `SELECT * FROM outbox WHERE nonce IS NOT NULL AND status IN ('sent', 'included') ORDER BY nonce`,
  )
  return rows.map(entryOf)
}

/** Reverted intents with a transaction in a block above `block`: a reorganisation may still turn them. */
export async function readRevertedAbove(db: Queryable, block: number): Promise<OutboxEntry[]> {
  const { rows } = await db.query(
    `SELECT * FROM outbox WHERE status = 'reverted' AND block > $1 ORDER BY nonce`,
    [block],
  )
  return rows.map(entryOf)
}

/** The highest nonce that was ever given away. */
export async function highestNonce(db: Queryable): Promise<number | undefined> {
  const { rows } = await db.query('SELECT max(nonce) AS nonce FROM outbox')
  return optionalNumber(rows[0]?.nonce ?? null)
}

/** Binds an intent to its nonce and signed transaction. This comes before the first broadcast. */
export async function saveSigned(
  db: Queryable,
  intentId: string,
  signed: { nonce: number; raw: Hex; txHash: Hex },
  nowMs: number,
): Promise<void> {
  await db.query(
    `UPDATE outbox SET nonce = $2, raw = $3, tx_hash = $4, status = 'sent', error = NULL, updated_ms = $5
     WHERE intent_id = $1 AND status = 'queued'`,
    [intentId, signed.nonce, bytesOf(signed.raw), bytesOf(signed.txHash), nowMs],
  )
}

/** Replaces the signed transaction by one of the same nonce with a higher fee. */
export async function saveBumped(
  db: Queryable,
  intentId: string,
  signed: { raw: Hex; txHash: Hex },
  nowMs: number,
): Promise<void> {
  await db.query(
    `UPDATE outbox SET earlier = earlier || tx_hash, raw = $2, tx_hash = $3, updated_ms = $4
     WHERE intent_id = $1 AND status = 'sent'`,
    [intentId, bytesOf(signed.raw), bytesOf(signed.txHash), nowMs],
  )
}

/** Records what the ledger made of the intent. */
export async function saveOutcome(
  db: Queryable,
  intentId: string,
  outcome: {
    status: 'sent' | 'included' | 'final' | 'reverted'
    txHash?: Hex | undefined
    block?: number | undefined
    error?: string | undefined
  },
  nowMs: number,
): Promise<void> {
  await db.query(
    `UPDATE outbox SET status = $2, tx_hash = coalesce($3, tx_hash), block = $4, error = $5, updated_ms = $6
     WHERE intent_id = $1`,
    [
      intentId,
      outcome.status,
      outcome.txHash ? bytesOf(outcome.txHash) : null,
      outcome.block ?? null,
      outcome.error ?? null,
      nowMs,
    ],
  )
}

/** Notes why an intent waits, without changing what it is. */
export async function saveProblem(
  db: Queryable,
  intentId: string,
  error: string,
  nowMs: number,
): Promise<void> {
  await db.query('UPDATE outbox SET error = $2, updated_ms = $3 WHERE intent_id = $1', [
    intentId,
    error,
    nowMs,
  ])
}

/** Takes the transaction off an intent whose nonce somebody else's transaction has used for good. */
export async function requeue(db: Queryable, intentId: string, nowMs: number): Promise<void> {
  await db.query(
    `UPDATE outbox SET status = 'queued', nonce = NULL, raw = NULL, tx_hash = NULL, earlier = '{}',
       error = 'The nonce was used by a transaction from elsewhere', updated_ms = $2
     WHERE intent_id = $1 AND status = 'sent'`,
    [intentId, nowMs],
  )
}

/** Whether an intent whose id begins so is neither included nor given up. */
export async function hasOpenIntent(db: Queryable, prefix: string): Promise<boolean> {
  const { rows } = await db.query(
    `SELECT FROM outbox WHERE starts_with(intent_id, $1) AND status IN ('queued', 'sent') LIMIT 1`,
    [prefix],
  )
  return rows.length > 0
}
