import { clearingHouseAbi, testEuroAbi } from '@liquefy/abi'
import { agreementId, type Hex, type Terms } from '@liquefy/protocol'
import { CliError } from './failure.ts'
import { type Ledger, type Signer, sendAll } from './transactions.ts'

/**
 * Opens agreements between the same two: the payee sends, the payer's signature of the id goes along, and then funds each. Answers
 * the ids in the order of the terms.
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
  const { payer, payee } = parties
  await requireFunds(ledger, payer, offers)
  const ids = offers.map(({ terms }) =>
    agreementId({ chainId: ledger.chainId, clearingHouse, terms }),
  )
  const house = { address: clearingHouse, abi: clearingHouseAbi }
  const opens = await Promise.all(
    offers.map(async ({ terms }, index) => ({
      ...house,
      functionName: 'open',
      args: [terms, await signId(payer, ids[index] as Hex), '0x'],
    })),
  )
  await sendAll(ledger, payee, opens, onDone)
  const funded = offers
    .map(({ terms, fundMinor }, index) => ({ terms, fundMinor, id: ids[index] as Hex }))
    .filter(({ fundMinor }) => fundMinor > 0n)
  for (const asset of new Set(funded.map(({ terms }) => terms.asset))) {
    const mine = funded.filter(({ terms }) => terms.asset === asset)
    const sum = mine.reduce((total, { fundMinor }) => total + fundMinor, 0n)
    await sendAll(ledger, payer, [
      { address: asset, abi: testEuroAbi, functionName: 'approve', args: [clearingHouse, sum] },
    ])
    await sendAll(
      ledger,
      payer,
      mine.map(({ id, fundMinor }) => ({ ...house, functionName: 'fund', args: [id, fundMinor] })),
      (done) => onDone(offers.length + done),
    )
  }
  return ids
}

async function requireFunds(
  { client }: Ledger,
  payer: Signer,
  offers: readonly { terms: Terms; fundMinor: bigint }[],
): Promise<void> {
  for (const asset of new Set(offers.map(({ terms }) => terms.asset))) {
    const needed = offers
      .filter(({ terms }) => terms.asset === asset)
      .reduce((total, { fundMinor }) => total + fundMinor, 0n)
    if (needed === 0n) continue
    const token = { address: asset, abi: testEuroAbi } as const
    const held = await client.readContract({
      ...token,
      functionName: 'balanceOf',
      args: [payer.address],
    })
    if (held >= needed) continue
    throw new CliError(
      'FUNDS_MISSING',
      `fundMinor is ${needed}, but the payer ${payer.address} holds ${held} smallest units. Put less into escrow; nothing was opened.`,
    )
  }
}

/** The id is an EIP-712 digest already, and is signed as it stands. */
async function signId(party: Signer, id: Hex): Promise<Hex> {
  if (!party.sign) throw new TypeError('The account cannot sign a digest.')
  return party.sign({ hash: id })
}
