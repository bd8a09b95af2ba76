import { authorizeAgreement, type Hex, openAgreement, type Proposal } from '@liquefy/client'
import { type MeterRule, type Terms, termsFromJson, termsToJson } from '@liquefy/protocol'
import { node } from '../api.ts'
import type { Wallets } from './wallets.ts'

/** Signs terms and proposes them to their other party. Answers the proposal's id. `say` is told of each step. */
export const proposeTerms = async (
  wallets: Wallets,
  offer: {
    terms: Terms
    rules: readonly MeterRule[]
    fundMinor: bigint
    message: string
    replaces: Hex | undefined
  },
  say: (step: string) => void,
): Promise<Hex> => {
  const { terms, rules, fundMinor, message, replaces } = offer
  const { deployment, wallet } = await wallets.sender()
  say('1 of 2: sign the terms')
  const signature = await authorizeAgreement({ deployment, wallet, terms })
  say('2 of 2: hand them to the other party')
  const { proposalId } = await node.propose({
    terms: termsToJson(terms),
    rules: [...rules],
    signature,
    fundMinor: String(fundMinor),
    message,
    ...(replaces ? { replaces } : {}),
  })
  return proposalId
}

/** Opens the agreement that a proposal offers, with its proposer's signature. */
export const acceptProposal = async (
  wallets: Wallets,
  { terms: json, rules, signature, proposer }: Proposal,
  say: (step: string) => void,
): Promise<void> => {
  if (!signature) throw new Error('This offer no longer stands: load the page again.')
  const action = await wallets.sender()
  const terms = termsFromJson(json)
  // Rules that no agreement names yet may have been forgotten meanwhile.
  await node.submitRules(rules)
  say('Open it on the ledger')
  const proposedByPayer = terms.payer.toLowerCase() === proposer
  await openAgreement({
    ...action,
    terms,
    ...(proposedByPayer ? { payerSignature: signature } : { payeeSignature: signature }),
  })
}
