import {
  buyShares,
  claimIncome,
  closeSale,
  collectIncome,
  completeBuyout,
  createVault,
  delegateVotes,
  distributeIncome,
  type GovernanceSetup,
  type Hex,
  offerBuyout,
  payCredit,
  redeemShares,
  refundShares,
  refuseBuyout,
  transferShares,
  type Vault,
  type VaultSetup,
} from '@liquefy/client'
import { senderWith } from './payments.ts'
import type { Wallets } from './wallets.ts'

type Say = (step: string) => void

/** Makes a vault of the wallet's machines. Answers its address. */
export const shareMachines = async (
  wallets: Wallets,
  { setup, governance }: { setup: VaultSetup; governance: GovernanceSetup },
  say: Say,
): Promise<Hex> => {
  const action = await wallets.sender()
  say('Let the factory take the machine, and make the vault')
  const { vault } = await createVault({ ...action, setup, governance })
  return vault
}

/** Buys shares in the primary sale: an approval of just as much, then the purchase. */
export const buySharesOf = async (
  wallets: Wallets,
  { vault, shares, priceMinor }: { vault: Vault; shares: bigint; priceMinor: bigint },
  say: Say,
): Promise<void> => {
  const action = await senderWith(wallets, vault.asset, shares * priceMinor)
  say('Let the vault take the price, and buy')
  await buyShares({ ...action, vault: vault.vault, asset: vault.asset, shares, priceMinor })
}

export const closeSaleOf = async (wallets: Wallets, vault: Hex): Promise<void> => {
  await closeSale({ ...(await wallets.sender()), vault })
}

export const refundSharesOf = async (wallets: Wallets, vault: Hex): Promise<void> => {
  await refundShares({ ...(await wallets.sender()), vault })
}

/** Brings in what the vault's agreements have earned, and splits it with what lies on the vault already. */
export const collectIncomeOf = async (
  wallets: Wallets,
  { vault, collectable: { minor, agreementIds } }: Vault,
): Promise<void> => {
  const action = { ...(await wallets.sender()), vault }
  if (minor === '0') await distributeIncome(action)
  else await collectIncome({ ...action, agreementIds })
}

/** Has what one's shares have earned paid out, vault by vault. */
export const claimIncomeOf = async (
  wallets: Wallets,
  vaults: { vault: Hex; name: string }[],
  say: Say,
): Promise<void> => {
  const action = await wallets.sender()
  for (const [index, { vault, name }] of vaults.entries()) {
    say(`${index + 1} of ${vaults.length}: ${name}`)
    await claimIncome({ ...action, vault })
  }
}

export const payCreditOf = async (wallets: Wallets, vault: Hex): Promise<void> => {
  await payCredit({ ...(await wallets.sender()), vault })
}

export const delegateVotesOf = async (
  wallets: Wallets,
  { vault, to }: { vault: Hex; to: Hex },
): Promise<void> => {
  await delegateVotes({ ...(await wallets.sender()), vault, to })
}

export const sendSharesOf = async (
  wallets: Wallets,
  { vault, to, shares }: { vault: Hex; to: Hex; shares: bigint },
): Promise<void> => {
  await transferShares({ ...(await wallets.sender()), vault, to, shares })
}

/** Offers for all shares of the others, and pays `depositMinor` for them. */
export const offerBuyoutOf = async (
  wallets: Wallets,
  { vault, priceMinor, depositMinor }: { vault: Vault; priceMinor: bigint; depositMinor: bigint },
  say: Say,
): Promise<void> => {
  const action = await senderWith(wallets, vault.asset, depositMinor)
  say('Let the vault take the price of all shares, and offer it')
  await offerBuyout({ ...action, vault: vault.vault, asset: vault.asset, priceMinor })
}

export const refuseBuyoutOf = async (
  wallets: Wallets,
  { vault, shares }: { vault: Hex; shares: bigint },
): Promise<void> => {
  await refuseBuyout({ ...(await wallets.sender()), vault, shares })
}

/** Completes an offer that nobody refused in time; what came in before is split first, since it is still all owners'. */
export const completeBuyoutOf = async (wallets: Wallets, vault: Vault, say: Say): Promise<void> => {
  const action = { ...(await wallets.sender()), vault: vault.vault }
  if (vault.undistributedMinor !== '0') {
    say('1 of 2: split what has come in')
    await distributeIncome(action)
  }
  say('Complete it')
  await completeBuyout(action)
}

export const redeemSharesOf = async (wallets: Wallets, vault: Hex): Promise<void> => {
  await redeemShares({ ...(await wallets.sender()), vault })
}
