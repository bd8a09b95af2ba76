import {
  approve,
  balanceOf,
  credit,
  type Deployment,
  fund,
  type Hex,
  tokensOf,
  withdraw,
} from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'
import type { Wallets } from './wallets.ts'

/** Puts money into an agreement's escrow: an approval of just as much, then the funding. `say` is told of each step. */
export const fundAgreement = async (
  wallets: Wallets,
  { agreementId, amountMinor }: { agreementId: Hex; amountMinor: bigint },
  say: (step: string) => void,
): Promise<void> => {
  const { asset: token } = (await wallets.sender()).deployment
  const asset = token.address
  const action = await senderWith(wallets, asset, amountMinor)
  say('1 of 2: allow the clearing house to take this amount')
  await approve({ ...action, asset, amountMinor })
  say('2 of 2: put it into escrow')
  await fund({ ...action, agreementId, amountMinor })
}

/** Whoever is signed in, to send with, if he has so much of an asset. Throws what he lacks, in words. */
export const senderWith = async (wallets: Wallets, asset: Hex, neededMinor: bigint) => {
  const action = await wallets.sender()
  const haveMinor = await tokensOf({ ...action, asset })
  if (haveMinor >= neededMinor) return action
  throw new Error(tooLittleWords(action.deployment.asset, haveMinor, neededMinor))
}

/** What an account lacks, and what to do. */
const tooLittleWords = (
  { decimals, symbol }: Deployment['asset'],
  haveMinor: bigint,
  neededMinor: bigint,
): string => {
  const [have, needed, missing] = [haveMinor, neededMinor, neededMinor - haveMinor].map(
    (minor) => `${formatDecimal(minor, decimals)} ${symbol}`,
  )
  return `Your account has ${have}, and ${needed} are needed: get ${missing} more, or put in less.`
}

/** Pays out what an agreement has earned, and all else that the account holds in the clearing house. Answers how much. */
export const withdrawEarnings = async (
  wallets: Wallets,
  { agreementId }: { agreementId: Hex },
  say: (step: string) => void,
): Promise<bigint> => {
  const action = await wallets.sender()
  const asset = action.deployment.asset.address
  const account = action.wallet.account.address
  say('1 of 2: credit what was earned to your balance')
  await credit({ ...action, agreementIds: [agreementId] })
  const amountMinor = await balanceOf({ ...action, account, asset })
  if (amountMinor === 0n) return 0n
  say('2 of 2: pay it out to your account')
  await withdraw({ ...action, asset, amountMinor })
  return amountMinor
}
