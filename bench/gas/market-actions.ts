import { seaportAbi } from '@liquefy/abi'
import {
  createVault,
  issueRight,
  listForSale,
  makeOffer,
  marketOf,
  type SignedOrder,
  setCalendarZone,
} from '@liquefy/client'
import { type Good, openWeek, orderComponents, orderParts, parseOrder } from '@liquefy/protocol'
import { erc721Abi, type Hex, zeroAddress, zeroHash } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import { assetCall, openAgreements, registerMachines } from './business.ts'
import type { BenchLedger } from './ledger.ts'

const PRICE_MINOR = 10n ** 9n
const SHARES = 1_000n
const LASTS_SECONDS = 86_400n

/** Trades of a machine, a receivable, a usage right and shares, whole and in parts; an offer that is accepted; what cancelling costs. All approved beforehand. */
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

  const right = await sell({
    kind: 'right',
    rightId: await newRight(ledger, seller, kept.machineId),
  })
  await measure('marketBuyRight', fill(buyer, right))

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

/** All shares of a new vault. */
async function newShare(ledger: BenchLedger, founder: PrivateKeyAccount): Promise<Hex> {
  const [machine] = await registerMachines(ledger, founder, 'P-256', 1)
  if (!machine) throw new Error('No machine was registered.')
  const { deployment } = ledger.node
  const { vault } = await createVault({
    ...ledger.senderOf(founder),
    deployment,
    setup: {
      name: 'Shares for sale',
      symbol: 'SALE',
      asset: deployment.asset.address,
      operator: founder.address,
      machineIds: [machine.machineId],
      founderShares: SHARES,
      waterfall: { reserveTarget: 0n, fees: [] },
    },
  })
  return vault
}

/** Four hours of each of twelve weeks. */
async function newRight(
  ledger: BenchLedger,
  owner: PrivateKeyAccount,
  machineId: bigint,
): Promise<bigint> {
  const issuer = { ...ledger.senderOf(owner), deployment: ledger.node.deployment, machineId }
  await setCalendarZone({ ...issuer, zone: 'Europe/Berlin' })
  const firstWeek = openWeek(Number(await ledger.now())) + 2
  const hours = { firstWeek, weeksCount: 12, bits: 0xfn }
  return issueRight({ ...issuer, hours, to: owner.address })
}
