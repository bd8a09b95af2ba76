import { testEuroAbi } from '@liquefy/abi'
import {
  approveCall,
  authorizeAgreement,
  fundCall,
  openCall,
  operatorSignature,
  send,
  sendAll,
} from '@liquefy/client'
import { agreementId, type Hex, type Terms } from '@liquefy/protocol'
import { CliError } from './failure.ts'
import { type Ledger, type Signer, senderOf } from './transactions.ts'

/**
 * Opens agreements between the same two: the payee sends, the payer's signature of the terms goes along, and then funds each. Where the payee is
 * a vault, its operator sends, and signs for it. Answers the ids in the order of the terms.
 *
 * @throws CliError `FUNDS_MISSING` before anything is sent: an open agreement without escrow holds its streams and pays nobody.
 */
export async function openAgreements(
  ledger: Ledger,
  clearingHouse: Hex,
  parties: { payer: Signer; payee: Signer },
  offers: readonly { terms: Terms; fundMinor: bigint }[],
  onDone: (done: number) => void = () => {},
): Promise<Hex[]> {
  await requireFunds(ledger, parties.payer.address, offers)
  const deployment = { chainId: ledger.chainId, clearingHouse }
  const payer = senderOf(ledger, parties.payer)
  const payee = senderOf(ledger, parties.payee)
  const opens = await Promise.all(
    offers.map(async ({ terms }) => {
      const payerSignature = await authorizeAgreement({ deployment, wallet: payer.wallet, terms })
      const isVault = terms.payee.toLowerCase() !== parties.payee.address.toLowerCase()
      const payeeSignature = isVault
        ? await operatorSignature({ deployment, wallet: payee.wallet, terms })
        : '0x'
      return openCall({ deployment, terms, payerSignature, payeeSignature })
    }),
  )
  await sendAll(payee, opens, onDone)
  const ids = offers.map(({ terms }) => agreementId({ ...deployment, terms }))
  const funded = offers
    .map(({ terms: { asset }, fundMinor }, index) => ({ asset, fundMinor, id: ids[index] as Hex }))
    .filter(({ fundMinor }) => fundMinor > 0n)
  for (const [asset, amountMinor] of sumsByAsset(offers)) {
    if (amountMinor === 0n) continue
    await send(payer, approveCall({ deployment, asset, amountMinor }))
    const calls = funded
      .filter((one) => one.asset === asset)
      .map(({ id, fundMinor }) => fundCall({ deployment, agreementId: id, amountMinor: fundMinor }))
    await sendAll(payer, calls, (done) => onDone(offers.length + done))
  }
  return ids
}

async function requireFunds(
  { client }: Ledger,
  payer: Hex,
  offers: readonly { terms: Terms; fundMinor: bigint }[],
): Promise<void> {
  for (const [asset, needed] of sumsByAsset(offers)) {
    if (needed === 0n) continue
    const token = { address: asset, abi: testEuroAbi } as const
    const held = await client.readContract({ ...token, functionName: 'balanceOf', args: [payer] })
    if (held >= needed) continue
    throw new CliError(
      'FUNDS_MISSING',
      `fundMinor is ${needed}, but the payer ${payer} holds ${held} smallest units. Put less into escrow; nothing was opened.`,
    )
  }
}

function sumsByAsset(offers: readonly { terms: Terms; fundMinor: bigint }[]): Map<Hex, bigint> {
  const sums = new Map<Hex, bigint>()
  for (const { terms, fundMinor } of offers) {
    sums.set(terms.asset, (sums.get(terms.asset) ?? 0n) + fundMinor)
  }
  return sums
}
