import { usageRightsAbi } from '@liquefy/abi'
import { type HourBits, LiquefyError, type StartUse, startUseTypedData } from '@liquefy/protocol'
import { parseEventLogs, type TransactionReceipt } from 'viem'
import { letTake } from './allowance.ts'
import { type Sender, send, type Wallet } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** An action on the hours of machines. */
export interface RightsAction extends Sender {
  deployment: Pick<Deployment, 'chainId' | 'cooperation'>
}

type OneMachine = RightsAction & { machineId: bigint }
type OneRight = RightsAction & { rightId: bigint }

/** Weeks that a right is for; `bits` of a slot, or `hoursPerWeek` of a quota. */
export type HoursWanted = { firstWeek: number; weeksCount: number } & (
  | { bits: HourBits }
  | { hoursPerWeek: number }
)

/** What to pay for it at most, in smallest units of `asset`. */
interface Price {
  asset: Hex
  totalMinor: bigint
}

/** Says in which time zone the machine's weeks are. For its issuer: its owner, or the operator of an owner that is a vault. */
export function setCalendarZone(action: OneMachine & { zone: string }) {
  return call(action, 'setZone', [action.machineId, action.zone])
}

/** Puts hours on sale, to anybody; replaces what was on sale. A price of 0 takes everything off sale. For its issuer. */
export function offerHours(
  action: OneMachine & {
    asset: Hex
    pricePerHourMinor: bigint
    openBits: HourBits
    untilWeek: number
  },
) {
  const { machineId, asset, pricePerHourMinor, openBits, untilWeek } = action
  return call(action, 'offer', [machineId, asset, pricePerHourMinor, openBits, untilWeek])
}

/** Gives a right away; answers its id. For the machine's issuer. */
export async function issueRight(
  action: OneMachine & { hours: HoursWanted; to: Hex },
): Promise<bigint> {
  const { machineId, hours, to } = action
  const { firstWeek, weeksCount } = hours
  const bits = 'bits' in hours ? hours.bits : 0n
  const quota = 'bits' in hours ? 0 : hours.hoursPerWeek
  const args = [machineId, firstWeek, weeksCount, bits, quota, to]
  return issuedId(await call(action, 'issue', args))
}

/** Buys a right that is on sale for the wallet's account, or for `to`; approves its price first where it must. Answers its id. */
export async function buyRight(
  action: OneMachine & { hours: HoursWanted; price: Price; to?: Hex },
): Promise<bigint> {
  const { machineId, hours, price } = action
  const spender = usageRightsOf(action.deployment)
  await letTake(action, { asset: price.asset, spender, amountMinor: price.totalMinor })
  const { firstWeek, weeksCount } = hours
  const [name, what] =
    'bits' in hours ? (['buy', hours.bits] as const) : (['buyHours', hours.hoursPerWeek] as const)
  const to = action.to ?? action.wallet.account.address
  const args = [machineId, firstWeek, weeksCount, what, price.asset, price.totalMinor, to]
  return issuedId(await call(action, name, args))
}

/** Books hours of a week by a quota. For its user, or its owner while it is not lent. */
export function bookHours(action: OneRight & { week: number; bits: HourBits }) {
  return call(action, 'book', [action.rightId, action.week, action.bits])
}

/** Gives hours of a week back, a day before they begin: of a quota to be booked anew, of a slot for good. */
export function cancelHours(action: OneRight & { week: number; bits: HourBits }) {
  return call(action, 'cancel', [action.rightId, action.week, action.bits])
}

/** Lends a right until a time in seconds; the zero address takes it back. For its owner; a transfer ends it. */
export function lendRight(action: OneRight & { user: Hex; untilSeconds: bigint }) {
  return call(action, 'setUser', [action.rightId, action.user, action.untilSeconds])
}

/** Moves a right to another owner. For its owner. */
export function transferRight(action: OneRight & { to: Hex }) {
  const { wallet, to, rightId } = action
  return call(action, 'transferFrom', [wallet.account.address, to, rightId])
}

/** Signs the start of a machine by a right, for the challenge that the machine gave. */
export function signStart(
  by: { wallet: Wallet; deployment: RightsAction['deployment'] },
  start: StartUse,
): Promise<Hex> {
  const { wallet, deployment } = by
  const ledger = { chainId: deployment.chainId, usageRights: usageRightsOf(deployment) }
  return wallet.signTypedData({ account: wallet.account, ...startUseTypedData(ledger, start) })
}

function issuedId(receipt: TransactionReceipt): bigint {
  const [event] = parseEventLogs({
    abi: usageRightsAbi,
    eventName: 'RightIssued',
    logs: receipt.logs,
  })
  if (!event) throw new RangeError(`Transaction ${receipt.transactionHash} issued no right.`)
  return event.args.rightId
}

function call(action: RightsAction, functionName: string, args: readonly unknown[]) {
  const address = usageRightsOf(action.deployment)
  return send(action, { address, abi: usageRightsAbi, functionName, args })
}

/** @throws LiquefyError `RIGHTS_MISSING` on a ledger whose contracts an earlier version deployed. */
export function usageRightsOf({ cooperation }: Pick<Deployment, 'cooperation'>): Hex {
  if (cooperation) return cooperation.usageRights
  throw new LiquefyError(
    'RIGHTS_MISSING',
    'Machines of this ledger have no hours to hold: an earlier version deployed its contracts, which nobody can change. A new ledger has them.',
  )
}
