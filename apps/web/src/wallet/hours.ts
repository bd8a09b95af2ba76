import {
  bookHours,
  buyRight,
  cancelHours,
  type Hex,
  type HoursWanted,
  lendRight,
  offerHours,
  setCalendarZone,
} from '@liquefy/client'
import { zeroAddress } from 'viem'
import { senderWith } from './payments.ts'
import type { Wallets } from './wallets.ts'

/** Buys a right, for no more than the price that was shown. `say` is told of what it asks for. */
export const buyHours = async (
  wallets: Wallets,
  order: { machineId: string; hours: HoursWanted; asset: Hex; totalMinor: bigint },
  say: (step: string) => void,
): Promise<bigint> => {
  const { machineId, hours, asset, totalMinor } = order
  const action = await senderWith(wallets, asset, totalMinor)
  say('allow the price to be taken, and buy the hours')
  const price = { asset, totalMinor }
  return buyRight({ ...action, machineId: BigInt(machineId), hours, price })
}

/** Hours of one week, of one right. */
export interface HoursOfWeek {
  rightId: string
  week: number
  bits: bigint
}

export const bookByQuota = async (wallets: Wallets, { rightId, week, bits }: HoursOfWeek) =>
  bookHours({ ...(await wallets.sender()), rightId: BigInt(rightId), week, bits })

/** Gives hours back, of one right after the other. */
export const giveBack = async (wallets: Wallets, parts: readonly HoursOfWeek[]) => {
  const action = await wallets.sender()
  for (const { rightId, week, bits } of parts) {
    await cancelHours({ ...action, rightId: BigInt(rightId), week, bits })
  }
}

/** Lends a right; `user` undefined takes it back. */
export const lend = async (
  wallets: Wallets,
  { rightId, user, untilMs }: { rightId: string; user: Hex | undefined; untilMs: number },
) =>
  lendRight({
    ...(await wallets.sender()),
    rightId: BigInt(rightId),
    user: user ?? zeroAddress,
    untilSeconds: user ? BigInt(Math.floor(untilMs / 1_000)) : 0n,
  })

export const beginCalendar = async (
  wallets: Wallets,
  { machineId, zone }: { machineId: string; zone: string },
) => setCalendarZone({ ...(await wallets.sender()), machineId: BigInt(machineId), zone })

/** Puts hours on sale, in the ledger's asset. */
export const putOnSale = async (
  wallets: Wallets,
  offer: { machineId: string; pricePerHourMinor: bigint; openBits: bigint; untilWeek: number },
) => {
  const action = await wallets.sender()
  const asset = action.deployment.asset.address
  return offerHours({ ...action, ...offer, machineId: BigInt(offer.machineId), asset })
}
