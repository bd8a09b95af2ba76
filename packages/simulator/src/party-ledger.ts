import type { Hex, SigningKey, Terms } from '@liquefy/protocol'

/** What a running product asks of the ledger, in the name of people whose wallets the caller holds. */
export interface PartyLedger {
  /** Address of a person that the product names. */
  addressOf(person: string): Hex
  /** Registers a machine for a person, with the key's proof of possession, and activates it. */
  registerMachine(request: { key: SigningKey; owner: string }): Promise<bigint>
  /** Opens an agreement in the name of both parties. Opening it twice is not asked for. */
  openAgreement(request: { terms: Terms; payer: string; payee: string }): Promise<Hex>
  /** Puts money of a person into an agreement's escrow. */
  fund(request: { agreementId: Hex; person: string; amountMinor: bigint }): Promise<void>
}
