import { type Hex, type LogStatement, verifyConsistency } from '@liquefy/protocol'
import type { LedgerAnchor } from './ledger.ts'

/** What a node of the log proves, as far as one answers; nothing of it is believed. */
export interface LogWitness {
  /** The root at a size, signed by the log and verified; undefined if there is none to be had. */
  rootAt(size: bigint): Promise<LogStatement | undefined>
  /** Consistency proof between two sizes; undefined if there is none to be had. */
  consistency(size1: bigint, size2: bigint): Promise<Hex[] | undefined>
}

/** Two statements of one size: `second` is signed, or stands on the ledger. */
export type Contradiction = { first: LogStatement; second: LogStatement | LedgerAnchor }

/** Whether two statements are of one log. */
export type LogComparison =
  | { verdict: 'CONSISTENT'; proof: readonly Hex[] }
  | ({ verdict: 'SPLIT_VIEW' } & Contradiction)
  | { verdict: 'NOT_PROVEN'; message: string }

/**
 * Compares two statements whose signatures were verified: two roots for one size are `SPLIT_VIEW`, also where the ledger or a witness has the other root;
 * different sizes need a proof. `NOT_PROVEN` is no accusation: nobody gave a proof that holds.
 */
export async function compareStatements(
  a: LogStatement,
  b: LogStatement,
  parts: { anchors: readonly LedgerAnchor[]; witness?: LogWitness },
): Promise<LogComparison> {
  const [older, newer] = a.size <= b.size ? [a, b] : [b, a]
  const differs = (first: LogStatement, second: LogStatement | LedgerAnchor | undefined) =>
    second?.size === first.size && second.root !== first.root
      ? ({ verdict: 'SPLIT_VIEW', first, second } as const)
      : undefined
  const direct = differs(older, newer)
  if (direct) return direct
  for (const first of [older, newer]) {
    for (const anchor of parts.anchors) {
      const found = differs(first, anchor)
      if (found) return found
    }
  }
  if (older.size === newer.size) return { verdict: 'CONSISTENT', proof: [] }
  const { witness } = parts
  if (!witness) return notProven('no node of this log was named')
  for (const first of [older, newer]) {
    const found = differs(first, await witness.rootAt(first.size))
    if (found) return found
  }
  const proof = await witness.consistency(older.size, newer.size)
  if (!proof) return notProven('the node gives no proof between these sizes')
  const holds = verifyConsistency({
    size1: older.size,
    root1: older.root,
    size2: newer.size,
    root2: newer.root,
    proof,
  })
  return holds ? { verdict: 'CONSISTENT', proof } : notProven('the proof of the node does not hold')
}

function notProven(message: string): LogComparison {
  return { verdict: 'NOT_PROVEN', message }
}
