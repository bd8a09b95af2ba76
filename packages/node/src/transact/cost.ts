import { larger } from '@liquefy/protocol'
import type { PeriodMoney } from '../store/agreements.ts'

/**
 * What a period costs so far, smallest units: what the node's own fold owes with what late evidence added, or what the ledger has proven, whichever is
 * more, and never less than what was paid. What the payee gave back stands beside it.
 */
export function costOf(
  owedMinor: bigint,
  {
    paidMinor,
    provenMinor,
    adjustedMinor,
  }: Pick<PeriodMoney, 'paidMinor' | 'provenMinor' | 'adjustedMinor'>,
): bigint {
  // What a signer has proved on the ledger is owed, whatever the node has folded: without meters it folds nothing.
  return larger(larger(provenMinor, paidMinor), owedMinor + adjustedMinor)
}
