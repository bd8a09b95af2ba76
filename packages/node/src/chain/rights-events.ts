import { usageRightsAbi } from '@liquefy/abi'
import { decodeEventLog, type Hex, type Log } from 'viem'
import { lower } from './ledger-text.ts'

/** What happened to the hours of a machine. Bits as the protocol has them; amounts in smallest units; `expires` in seconds. */
export type RightsHappening =
  | { what: 'zone'; machineId: bigint; zone: string }
  | {
      what: 'offer'
      machineId: bigint
      asset: Hex
      /** 0: nothing is on sale. */
      pricePerHour: bigint
      openBits: bigint
      untilWeek: number
    }
  | {
      what: 'issued'
      rightId: bigint
      machineId: bigint
      firstWeek: number
      weeksCount: number
      hoursPerWeek: number
      bits: bigint
    }
  | { what: 'owner'; rightId: bigint; owner: Hex }
  | { what: 'user'; rightId: bigint; user: Hex; expires: bigint }
  | { what: 'hours'; rightId: bigint; week: number; bits: bigint; kind: 'booked' | 'cancelled' }
  | { what: 'sold'; rightId: bigint; buyer: Hex; seller: Hex; asset: Hex; amount: bigint }

/** Reads a log of `UsageRights`; undefined for what tells the node nothing. */
export function readRightsEvent(log: Log): RightsHappening | undefined {
  const { eventName, args } = decodeEventLog({ abi: usageRightsAbi, ...log })
  switch (eventName) {
    case 'ZoneSet':
      return { what: 'zone', ...args }
    case 'HoursOffered':
      return { what: 'offer', ...args, asset: lower(args.asset) }
    case 'RightIssued':
      return { what: 'issued', ...args }
    case 'Transfer':
      return { what: 'owner', rightId: args.tokenId, owner: lower(args.to) }
    case 'UpdateUser':
      return {
        what: 'user',
        rightId: args.tokenId,
        user: lower(args.user),
        expires: args.expires,
      }
    case 'HoursBooked':
    case 'HoursCancelled': {
      const { rightId, week, bits } = args
      const kind = eventName === 'HoursBooked' ? 'booked' : 'cancelled'
      return { what: 'hours', rightId, week, bits, kind }
    }
    case 'HoursSold': {
      const { rightId, buyer, seller, asset, amount } = args
      return {
        what: 'sold',
        rightId,
        buyer: lower(buyer),
        seller: lower(seller),
        asset: lower(asset),
        amount,
      }
    }
    default:
      return undefined
  }
}
