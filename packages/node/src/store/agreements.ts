import type { Hex } from '@liquefy/client'
import {
  type LedgerKey,
  type MeterRule,
  parseRule,
  parseTerms,
  type Terms,
} from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import type { PeriodSpan } from './periods.ts'

/** An agreement as the ledger has it. `terms` is undefined if they are valid there but beyond what this node meters. */
export interface StoredAgreement {
  agreementId: Hex
  machineId: bigint
  payer: Hex
  payee: Hex
  asset: Hex
  terms: Terms | undefined
  termsJson: unknown
  open: boolean
  openedMs: number
  block: number
  txHash: Hex
}

/** All agreements that the follower has seen, the oldest first. */
export async function readAgreements(db: Queryable): Promise<StoredAgreement[]> {
  const { rows } = await db.query(
    `SELECT a.*, NOT EXISTS (
       SELECT FROM agreement_events e WHERE e.agreement_id = a.agreement_id AND e.kind = 'closed'
     ) AS open
     FROM agreements a ORDER BY a.block, a.agreement_id`,
  )
  return rows.map((row) => {
    const parsed = parseTerms(row.terms)
    return {
      agreementId: hexOf(row.agreement_id),
      machineId: BigInt(row.machine_id),
      payer: hexOf(row.payer),
      payee: hexOf(row.payee),
      asset: hexOf(row.asset),
      terms: parsed.ok ? parsed.terms : undefined,
      termsJson: row.terms,
      open: row.open,
      openedMs: Number(row.opened_ms),
      block: Number(row.block),
      txHash: hexOf(row.tx_hash),
    }
  })
}

/** All rules that the node knows, by hash. */
export async function readRules(db: Queryable): Promise<Map<Hex, MeterRule>> {
  const rules = new Map<Hex, MeterRule>()
  for (const row of (await db.query('SELECT rule_hash, rule FROM rules')).rows) {
    const parsed = parseRule(row.rule)
    if (parsed.ok) rules.set(hexOf(row.rule_hash), parsed.rule)
  }
  return rules
}

/**
 * Stores rules under their hashes. Those that an agreement names stay for ever; of the others the `maxUnnamed` that were posted last.
 */
export async function saveRules(
  db: Queryable,
  rules: readonly { hash: Hex; rule: MeterRule }[],
  maxUnnamed: number,
): Promise<void> {
  for (const { hash, rule } of rules) {
    await db.query(
      `INSERT INTO rules VALUES ($1, $2) ON CONFLICT (rule_hash) DO UPDATE SET position = DEFAULT`,
      [bytesOf(hash), JSON.stringify(rule)],
    )
  }
  await db.query(
    `DELETE FROM rules WHERE rule_hash IN (
       SELECT rule_hash FROM rules WHERE rule_hash NOT IN (
         SELECT decode(substr(meter->>'ruleHash', 3), 'hex')
         FROM agreements a, jsonb_array_elements(a.terms->'meters') AS meter
       ) ORDER BY position DESC OFFSET $1
     )`,
    [maxUnnamed],
  )
}

/** Controllers of machines that have one. */
export async function readControllers(db: Queryable): Promise<Map<bigint, bigint>> {
  const { rows } = await db.query(
    'SELECT machine_id, controller FROM machines WHERE controller <> 0',
  )
  return new Map(rows.map((row) => [BigInt(row.machine_id), BigInt(row.controller)]))
}

/** Those of some agreements that are in a token. */
export async function agreementsIn(
  db: Queryable,
  asset: Hex,
  agreementIds: readonly Hex[],
): Promise<Hex[]> {
  const { rows } = await db.query(
    'SELECT agreement_id FROM agreements WHERE agreement_id = ANY ($1) AND asset = $2',
    [agreementIds.map(bytesOf), bytesOf(asset)],
  )
  return rows.map((row) => hexOf(row.agreement_id))
}

/** The current key of a machine that signs for itself; undefined if it was revoked, or there never was one. */
export async function currentKey(
  db: Queryable,
  machineId: bigint,
  p256RawVerifier: Hex,
): Promise<LedgerKey | undefined> {
  const { rows } = await db.query(
    `SELECT key_id, curve, verifier, x, y FROM machine_keys WHERE machine_id = $1
     ORDER BY block DESC, log_index DESC LIMIT 1`,
    [machineId],
  )
  const [row] = rows
  if (!row?.key_id) return undefined
  return {
    key: { curve: row.curve === 1 ? 'P-256' : 'secp256k1', x: hexOf(row.x), y: hexOf(row.y) },
    signsRawDigest: row.verifier !== null && hexOf(row.verifier) === p256RawVerifier.toLowerCase(),
  }
}

/** What the ledger says of one period's money, smallest units. */
export interface PeriodMoney {
  paidMinor: bigint
  paidFinalMinor: bigint
  /** The most that signed values have shown to be owed, within the cap, and what late evidence added. */
  provenMinor: bigint
  /** Of it: what late evidence added. */
  adjustedMinor: bigint
  /** What the payee gave back of it. */
  givenBackMinor: bigint
}

export const NOTHING_PAID: PeriodMoney = {
  paidMinor: 0n,
  paidFinalMinor: 0n,
  provenMinor: 0n,
  adjustedMinor: 0n,
  givenBackMinor: 0n,
}
/** Events that pay out of escrow. */
const PAYS: ReadonlySet<string> = new Set(['settled', 'collected', 'adjusted'])

/** What the ledger says of one agreement's money, smallest units. */
export interface AgreementMoney {
  fundedMinor: bigint
  refundedMinor: bigint
  creditedMinor: bigint
  paidMinor: bigint
  paidFinalMinor: bigint
  escrowMinor: bigint
  accruedMinor: bigint
  periods: Map<number, PeriodMoney>
}

/** No money at all: an agreement that nothing has happened to. */
export function noMoney(): AgreementMoney {
  return {
    fundedMinor: 0n,
    refundedMinor: 0n,
    creditedMinor: 0n,
    paidMinor: 0n,
    paidFinalMinor: 0n,
    escrowMinor: 0n,
    accruedMinor: 0n,
    periods: new Map(),
  }
}

/** What the ledger says of the money of a span of an agreement's periods. Blocks up to `finalBlock` are final. */
export async function readPeriodMoney(
  db: Queryable,
  finalBlock: number,
  agreementId: Hex,
  span: PeriodSpan,
): Promise<Map<number, PeriodMoney>> {
  const money = noMoney()
  for (const row of await readSums(db, finalBlock, [agreementId], span)) addEvents(money, row)
  return money.periods
}

/** Sums of the ledger's events by agreement: all, or those of `agreementIds`. Blocks up to `finalBlock` are final. */
export async function readMoney(
  db: Queryable,
  finalBlock: number,
  agreementIds?: readonly Hex[],
): Promise<Map<Hex, AgreementMoney>> {
  const result = new Map<Hex, AgreementMoney>()
  for (const row of await readSums(db, finalBlock, agreementIds)) {
    const id = hexOf(row.agreement_id)
    const money = result.get(id) ?? noMoney()
    result.set(id, money)
    addEvents(money, row)
  }
  for (const money of result.values()) {
    money.escrowMinor = money.fundedMinor - money.paidMinor - money.refundedMinor
    money.accruedMinor = money.paidMinor - money.creditedMinor
  }
  return result
}

/** Events of one kind and one period of an agreement. */
interface SumRow {
  agreement_id: Buffer
  kind: string
  period: number | null
  amount: bigint
  final: bigint
  proven: bigint
  adjusted: bigint
}

async function readSums(
  db: Queryable,
  finalBlock: number,
  agreementIds?: readonly Hex[],
  span?: PeriodSpan,
): Promise<SumRow[]> {
  const { rows } = await db.query<SumRow>(
    `SELECT e.agreement_id, e.kind, e.period,
       coalesce(sum(e.amount), 0) AS amount,
       coalesce(sum(e.amount) FILTER (WHERE e.block <= $1), 0) AS final,
       coalesce(max(least((e.detail->>'owed')::numeric, (a.terms->>'capMinor')::numeric))
         FILTER (WHERE e.kind = 'settled'), 0) AS proven,
       coalesce(sum((e.detail->>'adjustment')::numeric), 0) AS adjusted
     FROM agreement_events e JOIN agreements a USING (agreement_id)
     WHERE e.kind IN ('funded', 'settled', 'collected', 'adjusted', 'refunded', 'credited', 'closed')
       AND ($2::bytea[] IS NULL OR e.agreement_id = ANY ($2))
       AND ($3::bigint IS NULL OR e.period >= $3 AND e.period < $4::bigint)
     GROUP BY e.agreement_id, e.kind, e.period`,
    [finalBlock, agreementIds?.map(bytesOf) ?? null, span?.from ?? null, span?.before ?? null],
  )
  return rows
}

function addEvents(money: AgreementMoney, row: SumRow): void {
  if (row.kind === 'funded') money.fundedMinor += row.amount
  if (row.kind === 'closed') money.refundedMinor += row.amount
  if (row.kind === 'credited') money.creditedMinor += row.amount
  if (row.period === null) return
  const period = money.periods.get(row.period) ?? { ...NOTHING_PAID }
  if (row.kind === 'refunded') period.givenBackMinor += row.amount
  else if (PAYS.has(row.kind)) {
    money.paidMinor += row.amount
    money.paidFinalMinor += row.final
    period.paidMinor += row.amount
    period.paidFinalMinor += row.final
    // Each kind has one row: the highest value settled, and what late evidence added to it.
    period.provenMinor += row.proven + row.adjusted
    period.adjustedMinor += row.adjusted
  } else return
  money.periods.set(row.period, period)
}

/** Who owns the position of each agreement whose position was ever transferred. */
export async function readPositionOwners(db: Queryable): Promise<Map<Hex, Hex>> {
  const { rows } = await db.query(
    `SELECT DISTINCT ON (agreement_id) agreement_id, detail->>'to' AS owner FROM agreement_events
     WHERE kind = 'position-transferred' ORDER BY agreement_id, block DESC, log_index DESC`,
  )
  return new Map(rows.map((row) => [hexOf(row.agreement_id), row.owner]))
}

/** Sums of money by what they are: `<agreement> funded`, `<account> withdrawn <asset>` and so on, smallest units. */
export type MoneyTotals = Map<string, bigint>

/** The database's sums of all money that moved in blocks up to `toBlock`. */
export async function readMoneyTotals(db: Queryable, toBlock: number): Promise<MoneyTotals> {
  const { rows } = await db.query(
    `SELECT '0x' || encode(agreement_id, 'hex') || ' ' || kind AS what, sum(amount) AS amount
     FROM agreement_events
     WHERE kind IN ('funded', 'settled', 'collected', 'adjusted', 'refunded', 'credited', 'closed')
       AND block <= $1 GROUP BY 1
     UNION ALL
     SELECT '0x' || encode(account, 'hex') || ' withdrawn 0x' || encode(asset, 'hex'), sum(amount)
     FROM withdrawals WHERE block <= $1 GROUP BY 1`,
    [toBlock],
  )
  return new Map(rows.map((row) => [row.what, row.amount]))
}
