import type { StatementLine } from '@liquefy/client'
import { zeroAddress } from 'viem'
import { type MoveRow, SCALE } from '../store/shares.ts'
import type { IncomeRecord } from '../store/vault-income.ts'
import type { PaymentRow } from '../store/vaults.ts'

/** Everything that the ledger tells of an owner, each in its order. */
export interface OwnerHistory {
  records: readonly IncomeRecord[]
  moves: readonly MoveRow[]
  payments: readonly PaymentRow[]
}

/** An owner's statement, the oldest line first. Amounts in smallest units. */
export interface Statement {
  lines: StatementLine[]
  shares: bigint
  earnedMinor: bigint
  claimedMinor: bigint
}

type Happening =
  | { kind: 'record'; record: IncomeRecord }
  | { kind: 'move'; move: MoveRow }
  | { kind: 'payment'; payment: PaymentRow }

/** Payments that a change of shares comes with: told once, with what was paid. */
const WITH_SHARES = new Set(['bought', 'refunded', 'redeemed'])
const SHOWN = new Set([...WITH_SHARES, 'claimed', 'credit-paid'])

/**
 * Writes the statement: who holds shares at the end of a block with income has earned his part of it, in 2^-96 of a smallest unit, and gets the
 * whole units of all that he has earned so far. So the parts add up to what the ledger pays, to the unit.
 */
export function ownerStatement(history: OwnerHistory): Statement {
  const lines: StatementLine[] = []
  let [shares, scaled, claimed, perShare] = [0n, 0n, 0n, 0n]
  const earned = () => scaled / SCALE
  const told = new Set(
    history.payments
      .filter(({ payment }) => WITH_SHARES.has(payment))
      .map(({ txHash, shares: count }) => `${txHash} ${count}`),
  )
  for (const happening of inOrder(history)) {
    if (happening.kind === 'record') {
      const { record } = happening
      const before = earned()
      scaled += shares * (record.perShare - perShare)
      perShare = record.perShare
      if (shares === 0n) continue
      lines.push({
        ...placeOf(record),
        kind: 'income',
        minor: String(earned() - before),
        balanceMinor: String(earned() - claimed),
        paidMinor: null,
        shares: String(shares),
        supply: String(record.supply),
        ownersMinor: String(record.owners),
        other: null,
      })
      continue
    }
    if (happening.kind === 'move') {
      const { move } = happening
      shares = move.shares
      const count = move.delta < 0n ? -move.delta : move.delta
      if (move.other === zeroAddress && told.has(`${move.txHash} ${count}`)) continue
      lines.push(plainLine(move.delta > 0n ? 'received' : 'sent', move, move.other))
      continue
    }
    const { payment } = happening
    if (payment.payment === 'claimed') {
      claimed += payment.minor
      const line = plainLine('claim', payment, payment.other)
      lines.push({ ...line, minor: String(-payment.minor) })
    } else {
      const line = plainLine(payment.payment as StatementLine['kind'], payment, payment.other)
      lines.push({ ...line, paidMinor: String(payment.minor) })
    }
  }
  return { lines, shares, earnedMinor: earned(), claimedMinor: claimed }

  function plainLine(
    kind: StatementLine['kind'],
    row: MoveRow | PaymentRow,
    other: StatementLine['other'],
  ): StatementLine {
    return {
      ...placeOf(row),
      kind,
      minor: '0',
      balanceMinor: String(earned() - claimed),
      paidMinor: null,
      shares: String(shares),
      supply: '0',
      ownersMinor: null,
      other: other === zeroAddress ? null : other,
    }
  }
}

/** In the ledger's order; an income of a block counts at its end, whatever else the block has. */
function inOrder({ records, moves, payments }: OwnerHistory): Happening[] {
  const all: (Happening & { block: number; index: number })[] = [
    ...records.map((record) => ({
      kind: 'record' as const,
      record,
      block: record.block,
      index: Number.POSITIVE_INFINITY,
    })),
    ...moves.map((move) => ({
      kind: 'move' as const,
      move,
      block: move.block,
      index: move.logIndex,
    })),
    ...payments
      .filter(({ payment }) => SHOWN.has(payment))
      .map((payment) => ({
        kind: 'payment' as const,
        payment,
        block: payment.block,
        index: payment.logIndex,
      })),
  ]
  return all.sort((a, b) => a.block - b.block || a.index - b.index)
}

function placeOf(row: { block: number; logIndex: number; atMs: number; txHash: `0x${string}` }) {
  return { place: `${row.block}-${row.logIndex}`, atMs: row.atMs, txHash: row.txHash }
}
