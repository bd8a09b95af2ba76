import type { SettlementView } from '@liquefy/client'

/** What each kind of settlement is called. */
export const settlementWords: Record<SettlementView['kind'], string> = {
  settled: 'settled',
  collected: 'arrears collected',
  adjusted: 'adjusted for late evidence',
  refunded: 'refunded to the payer',
}
