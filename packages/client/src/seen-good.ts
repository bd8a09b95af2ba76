import { clearingHouseAbi, MACHINE_STATES, machineRegistryAbi, usageRightsAbi } from '@liquefy/abi'
import { type Good, LiquefyError } from '@liquefy/protocol'
import { erc20Abi, type PublicClient } from 'viem'
import { accountAddress } from './account-ledger.ts'
import type { MarketOrder } from './market.ts'
import type { MarketAction } from './market-ledger.ts'
import type { Hex, MachineState } from './types.ts'

/** What a buyer has seen of a good that its owner could still change; what is worth less since is not bought. */
export interface SeenGood {
  machineState?: MachineState
  /** In the machine's account. */
  accountMinor?: bigint
  /** Number of rights ever issued to use the machine: whoever holds one keeps it when the machine is sold. */
  rightsIssued?: bigint
  /** Of the agreement whose income it is. */
  escrowMinor?: bigint
}

type Ledger = { deployment: MarketAction['deployment']; publicClient: PublicClient }

const OPEN = 1

/** What an order of the book showed to its buyer: `buy` takes it as `seen`. */
export function seenGood({ figures }: MarketOrder): SeenGood {
  const { machines, account, hours, receivable } = figures
  const [machine] = machines
  return {
    ...(machine ? { machineState: machine.state } : {}),
    ...(account ? { accountMinor: BigInt(account.balanceMinor) } : {}),
    ...(hours ? { rightsIssued: BigInt(hours.rightsIssued) } : {}),
    ...(receivable ? { escrowMinor: BigInt(receivable.escrowMinor) } : {}),
  }
}

/** Asks the ledger whether the good is still what was seen of it. @throws LiquefyError `GOOD_CHANGED`. */
export async function requireUnchanged(ledger: Ledger, good: Good, seen: SeenGood): Promise<void> {
  if (good.kind === 'receivable') await requireReceivable(ledger, good.agreementId, seen)
  if (good.kind === 'machine') await requireMachine(ledger, good.machineId, seen)
}

async function requireReceivable(
  { deployment, publicClient }: Ledger,
  agreementId: Hex,
  seen: SeenGood,
): Promise<void> {
  const house = { address: deployment.clearingHouse, abi: clearingHouseAbi } as const
  const args = [agreementId] as const
  const [status, escrow] = await Promise.all([
    publicClient.readContract({ ...house, functionName: 'statusOf', args }),
    publicClient.readContract({ ...house, functionName: 'escrowOf', args }),
  ])
  if (status !== OPEN) throw changed('The agreement is closed: it pays nothing any more.')
  if (escrow < (seen.escrowMinor ?? 0n)) throw changed('There is less in escrow than you saw.')
}

async function requireMachine(ledger: Ledger, machineId: bigint, seen: SeenGood): Promise<void> {
  const { deployment, publicClient } = ledger
  const state = await publicClient.readContract({
    address: deployment.registry,
    abi: machineRegistryAbi,
    functionName: 'stateOf',
    args: [machineId],
  })
  const now = MACHINE_STATES[state]?.toLowerCase()
  if (seen.machineState !== undefined && now !== seen.machineState) {
    throw changed(`The machine is ${now}, and was ${seen.machineState} when you saw it.`)
  }
  await requireHours(ledger, machineId, seen)
  if (seen.accountMinor === undefined || seen.accountMinor === 0n) return
  const balance = await publicClient.readContract({
    address: deployment.asset.address,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [accountAddress({ deployment, machineId })],
  })
  if (balance < seen.accountMinor) {
    throw changed("There is less in the machine's account than you saw.")
  }
}

async function requireHours(
  { deployment, publicClient }: Ledger,
  machineId: bigint,
  { rightsIssued }: SeenGood,
): Promise<void> {
  const { cooperation } = deployment
  if (rightsIssued === undefined || !cooperation) return
  const { issues } = await publicClient.readContract({
    address: cooperation.usageRights,
    abi: usageRightsAbi,
    functionName: 'calendarOf',
    args: [machineId],
  })
  if (issues !== rightsIssued) {
    throw changed(
      'Somebody has been given hours of the machine since you saw it, which he keeps when it is sold.',
    )
  }
}

function changed(words: string): LiquefyError {
  return new LiquefyError('GOOD_CHANGED', `${words} Look at it again before you buy it.`)
}
