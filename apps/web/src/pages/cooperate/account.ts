import type { Deployment, Hex } from '@liquefy/client'
import { isAddress } from 'viem'

/** Whom a text means; undefined: nobody. */
export const accountIn = (text: string, deployment: Deployment | undefined): Hex | undefined => {
  const wanted = text.trim()
  if (isAddress(wanted, { strict: false })) return wanted
  return deployment?.people.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())?.address
}

/** The name by which an account is found again, else all of its address. */
export const knownName = (deployment: Deployment, account: string): string =>
  deployment.people.find(({ address }) => address.toLowerCase() === account.toLowerCase())?.name ??
  account
