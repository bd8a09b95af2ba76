import {
  activateMachine,
  approve,
  authorizeAgreement,
  type Deployment,
  fund,
  openAgreement,
  registerMachine,
  type Sender,
  type Wallet,
} from '@liquefy/client'
import type { PartyLedger } from './party-ledger.ts'

/** A party ledger over wallets that the caller opens. One thing at a time: people share nonces and allowances. */
export function walletLedger(options: {
  deployment: Deployment
  publicClient: Sender['publicClient']
  /** The wallet of a person that the product names. */
  walletOf(person: string): Wallet
}): PartyLedger {
  const { deployment, publicClient, walletOf } = options
  const actionOf = (person: string) => ({ deployment, publicClient, wallet: walletOf(person) })
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }

  return {
    addressOf: (person) => walletOf(person).account.address,
    registerMachine: ({ key, owner }) =>
      inTurn(async () => {
        const action = actionOf(owner)
        const machineId = await registerMachine({ ...action, key })
        await activateMachine({ ...action, machineId })
        return machineId
      }),
    openAgreement: ({ terms, payer, payee }) =>
      inTurn(async () => {
        const wallet = walletOf(payer)
        const payerSignature = await authorizeAgreement({ deployment, wallet, terms })
        return openAgreement({ ...actionOf(payee), terms, payerSignature })
      }),
    fund: ({ agreementId, person, amountMinor }) =>
      inTurn(async () => {
        const action = actionOf(person)
        await approve({ ...action, asset: deployment.asset.address, amountMinor })
        await fund({ ...action, agreementId, amountMinor })
      }),
  }
}
