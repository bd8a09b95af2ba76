import { usageRightsAbi } from '@liquefy/abi'
import { usageRightsOf } from '@liquefy/client'
import { ALL_HOURS, bitsOfHours, openWeek } from '@liquefy/protocol'
import { erc20Abi } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import { registerMachines } from './business.ts'
import type { BenchLedger } from './ledger.ts'

const PRICE_PER_HOUR = 100n
const WEEKS = 12
const SATURDAY = bitsOfHours([8, 9, 10, 11].map((hour) => 5 * 24 + hour))

/** The hours of a machine: given, sold for twelve weeks, booked, given back and lent. */
export async function rightsActions(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
  measure: Measure,
): Promise<void> {
  const { payee: owner, payer: buyer } = people
  const { deployment } = ledger.node
  const address = usageRightsOf(deployment)
  const asset = deployment.asset.address
  const send = (account: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
    ledger.send(account, { address, abi: usageRightsAbi, functionName, args })
  const [machine] = await registerMachines(ledger, owner, 'P-256', 1)
  if (!machine) throw new Error('No machine was registered.')
  const { machineId } = machine
  const week = openWeek(Number(await ledger.now())) + 2
  const most = 2n ** 90n

  await measure('rightSetZone', send(owner, 'setZone', [machineId, 'Europe/Berlin']))
  const offer = [machineId, asset, PRICE_PER_HOUR, ALL_HOURS, week + 100]
  await measure('rightOffer', send(owner, 'offer', offer))
  const given = [machineId, week, WEEKS, SATURDAY, 0, buyer.address]
  await measure('rightIssue', send(owner, 'issue', given))
  await ledger.send(buyer, {
    address: asset,
    abi: erc20Abi,
    functionName: 'approve',
    args: [address, most],
  })
  const slot = [machineId, week, WEEKS, SATURDAY << 4n, asset, most, buyer.address]
  await measure('rightBuy', send(buyer, 'buy', slot))
  const quota = [machineId, week, WEEKS, 10, asset, most, buyer.address]
  await measure('rightBuyHours', send(buyer, 'buyHours', quota))
  const contract = { address, abi: usageRightsAbi } as const
  const rightId = await ledger.reader.readContract({ ...contract, functionName: 'rightCount' })
  await measure('rightBook', send(buyer, 'book', [rightId, week, 0xfn]))
  await measure('rightCancel', send(buyer, 'cancel', [rightId, week, 3n]))
  await measure('rightSetUser', send(buyer, 'setUser', [rightId, owner.address, 2n ** 40n]))
  const moved = [buyer.address, owner.address, rightId]
  await measure('rightTransferFrom', send(buyer, 'transferFrom', moved))
}
