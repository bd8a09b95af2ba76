import { openAgreement, operatorSignature, termsOf } from '@liquefy/client'
import { type Hex, ZERO_DIGEST } from '@liquefy/protocol'
import { CHARTER_DAYS, charter } from './charter.ts'
import type { Harbour } from './harbour.ts'
import { CHARTERER, FOUNDER } from './people.ts'

/**
 * The charterer pays the vault, and puts five days at the highest price into escrow. He opens the agreement himself; for the vault signs the
 * operator whom its owners have.
 */
export async function openCharter(
  { client, deployment, senderOf, addressOf, ledger }: Harbour,
  vault: Hex,
  machineId: bigint,
  startMs: number,
): Promise<Hex> {
  await client.submitRules(charter.meters.map(({ rule }) => rule))
  const terms = termsOf(charter, {
    deployment,
    machineId,
    payer: addressOf(CHARTERER),
    payee: vault,
    startSeconds: BigInt(startMs / 1_000),
    salt: ZERO_DIGEST,
  })
  const { wallet } = senderOf(FOUNDER)
  const payeeSignature = await operatorSignature({ deployment, wallet, terms })
  const charterer = senderOf(CHARTERER)
  const agreementId = await openAgreement({ ...charterer, deployment, terms, payeeSignature })
  const amountMinor = charter.capMinor * BigInt(CHARTER_DAYS)
  await ledger.fund({ agreementId, person: CHARTERER, amountMinor })
  return agreementId
}
