import { seaportAbi, testEuroAbi, testEuroBytecode } from '@liquefy/abi'
import { listForSale, makeOffer, marketOf, type SignedOrder } from '@liquefy/client'
import { type Good, orderComponents, orderParts, parseOrder } from '@liquefy/protocol'
import { erc721Abi, type Hex, zeroAddress, zeroHash } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import { assetCall, openAgreements, registerMachines } from './business.ts'
import type { BenchLedger } from './ledger.ts'

const PRICE_MINOR = 10n ** 9n
const SHARES = 1_000n
const LASTS_SECONDS = 86_400n

/** Trades of a machine, a receivable and shares, whole and in parts; an offer that is accepted; what cancelling costs. All approved beforehand. */
export async function marketActions(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  measure: Measure,
): Promise<void> {
  const { payer: buyer, payee: seller } = people
  const { deployment } = ledger.node
  const market = marketOf(deployment)
  await ledger.send(buyer, assetCall(ledger, 'mint', [buyer.address, 100n * PRICE_MINOR]))
  await ledger.send(buyer, assetCall(ledger, 'approve', [market.market, 100n * PRICE_MINOR]))
  const machines = await registerMachines(ledger, seller, 'P-256', 4)
  const [machine, metered, wanted, kept] = machines
  if (!machine || !metered || !wanted || !kept) throw new Error('No machines were registered.')

  const sell = (good: Good): Promise<SignedOrder> =>
    listForSale({
      ...ledger.senderOf(seller),
      deployment,
      good,
      priceMinor: PRICE_MINOR,
      lastsSeconds: LASTS_SECONDS,
    })
  const call = (functionName: string, args: readonly unknown[]) => ({
    address: market.market,
    abi: seaportAbi,
    functionName,
    args,
  })
  const componentsOf = ({ order }: SignedOrder) => {
    const read = parseOrder(market, order)
    if (!read.ok) throw new Error(read.message)
    return { components: orderComponents(market, read.order), parts: orderParts(read.order) }
  }
  const fill = (by: PrivateKeyAccount, signed: SignedOrder, numerator = 1n, denominator = 1n) => {
    const { counter: _, ...parameters } = componentsOf(signed).components
    const advanced = {
      parameters: { ...parameters, totalOriginalConsiderationItems: 1n },
      numerator,
      denominator,
      signature: signed.signature,
      extraData: '0x',
    }
    return ledger.send(by, call('fulfillAdvancedOrder', [advanced, [], zeroHash, zeroAddress]))
  }

  const sale = await sell({ kind: 'machine', machineId: machine.machineId })
  await measure('marketBuyMachine', fill(buyer, sale))

  const [agreement] = await openAgreements(ledger, people, [metered])
  if (!agreement) throw new Error('No agreement was opened.')
  const income = await sell({ kind: 'receivable', agreementId: agreement.id })
  await measure('marketBuyReceivable', fill(buyer, income))

  const token = await newShare(ledger, seller)
  const shares = await sell({ kind: 'share', token, amount: SHARES })
  const { parts } = componentsOf(shares)
  await measure('marketBuyFirstShares', fill(buyer, shares, 1n, parts))
  await measure('marketBuyMoreShares', fill(buyer, shares, 1n, parts))

  const offer = await makeOffer({
    ...ledger.senderOf(buyer),
    deployment,
    good: { kind: 'machine', machineId: wanted.machineId },
    priceMinor: PRICE_MINOR,
    lastsSeconds: LASTS_SECONDS,
  })
  await ledger.send(seller, {
    address: deployment.registry,
    abi: erc721Abi,
    functionName: 'approve',
    args: [market.market, wanted.machineId],
  })
  await measure('marketAcceptOffer', fill(seller, offer))

  const unsold = await sell({ kind: 'machine', machineId: kept.machineId })
  await measure(
    'marketCancel',
    ledger.send(seller, call('cancel', [[componentsOf(unsold).components]])),
  )
  await measure('marketCancelAll', ledger.send(seller, call('incrementCounter', [])))
}

/** A token that stands for shares: what a vault's own cost more is measured where vaults are. */
async function newShare(ledger: BenchLedger, owner: PrivateKeyAccount): Promise<Hex> {
  const { wallet } = ledger.senderOf(owner)
  const hash = await wallet.deployContract({
    abi: testEuroAbi,
    bytecode: testEuroBytecode,
    account: owner,
    chain: ledger.chain,
  })
  const { contractAddress } = await ledger.reader.waitForTransactionReceipt({ hash })
  if (!contractAddress) throw new Error('No share was deployed.')
  const call = { address: contractAddress, abi: testEuroAbi, functionName: 'mint' }
  await ledger.send(owner, { ...call, args: [owner.address, SHARES] })
  return contractAddress.toLowerCase() as Hex
}
