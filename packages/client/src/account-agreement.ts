import { clearingHouseAbi, machineAccountAbi, testEuroAbi } from '@liquefy/abi'
import {
  type AccountOpening,
  type AccountTopUp,
  acceptanceDigest,
  agreementId,
  LiquefyError,
  openingDigest,
  payeeSignature,
  type SigningKey,
  signTypedDigest,
  type Terms,
  topUpDigest,
} from '@liquefy/protocol'
import {
  type Abi,
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
} from 'viem'
import { accountAddress, accountContext, type OneAccount } from './account-ledger.ts'
import { credit } from './agreement-ledger.ts'
import { type Sender, send } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** A machine whose account is party to agreements of a clearing house. */
export interface OneParty extends OneAccount {
  deployment: OneAccount['deployment'] & Pick<Deployment, 'clearingHouse'>
}

type PartyAction = OneParty & Sender

/** An agreement that a machine's key has signed to open, with money for its escrow. Anyone may relay it: `openFromAccount`. */
export interface SignedOpening {
  terms: Terms
  opening: AccountOpening
  signature: Hex
}

/** Money for the escrow of an agreement, signed by the payer's machine. Anyone may relay it: `fundFromAccount`. */
export interface SignedTopUp {
  topUp: AccountTopUp
  signature: Hex
}

/** What the account calls may refuse too: the errors of the clearing house and of the asset come through as they are. */
const abi: Abi = [
  ...machineAccountAbi,
  ...[...clearingHouseAbi, ...testEuroAbi].filter(({ type }) => type === 'error'),
]

const SIGNED_SECONDS = 3_600n

/** Lets the machine's key accept agreements that pay its account in `asset`, until `until` in seconds; 0: no more. For its owner. */
export async function setSelling(action: PartyAction & { asset: Hex; until: bigint }) {
  await requireParty(action)
  return call(action, 'setSelling', [action.asset, action.until])
}

/** Signs that an agreement in which the machine's account pays is opened with `amountMinor` in its escrow, good for an hour. */
export async function signOpening(
  by: OneParty & { key: SigningKey; terms: Terms; amountMinor: bigint },
): Promise<SignedOpening> {
  const { key, terms, amountMinor: amount, deployment, publicClient } = by
  const [context, { timestamp }] = await Promise.all([accountContext(by), publicClient.getBlock()])
  const id = agreementId({ ...deployment, terms })
  const opening = { agreementId: id, amount, deadline: timestamp + SIGNED_SECONDS }
  return { terms, opening, signature: signTypedDigest(key, openingDigest(context, opening)) }
}

/**
 * Opens what the payer's machine signed; answers the agreement's id. `payeeSignature` is the payee's, as for any agreement. For anyone; a refusal
 * names the line of the owner's policy.
 *
 * @throws LiquefyError `ACCOUNTS_MISSING`, `ACCOUNTS_TOO_OLD` on a ledger whose contracts an earlier version deployed.
 */
export async function openFromAccount(
  action: PartyAction & SignedOpening & { payeeSignature?: Hex },
): Promise<Hex> {
  await requireParty(action)
  const { terms, payeeSignature: payeeAuth = '0x', signature } = action
  const { agreementId: id, amount, deadline } = action.opening
  await call(action, 'openAgreement', [terms, payeeAuth, amount, deadline, signature])
  return id
}

/** Signs that `amountMinor` more goes into the escrow of an agreement that the machine's account pays, good for an hour. */
export async function signTopUp(
  by: OneParty & { key: SigningKey; agreementId: Hex; amountMinor: bigint; salt: Hex },
): Promise<SignedTopUp> {
  const { key, agreementId: id, amountMinor: amount, salt, publicClient } = by
  const [context, { timestamp }] = await Promise.all([accountContext(by), publicClient.getBlock()])
  const topUp = { agreementId: id, amount, salt, deadline: timestamp + SIGNED_SECONDS }
  return { topUp, signature: signTypedDigest(key, topUpDigest(context, topUp)) }
}

/** Relays a top-up. For anyone; a refusal names the line of the owner's policy. */
export async function fundFromAccount(action: PartyAction & SignedTopUp) {
  await requireParty(action)
  const { agreementId: id, amount, salt, deadline } = action.topUp
  return call(action, 'fundAgreement', [id, amount, salt, deadline, action.signature])
}

/** The account's signature of terms that pay it, by the machine's key, as whoever opens the agreement hands it on. Asks the ledger for the tenure. */
export async function acceptForAccount(
  by: OneParty & { key: SigningKey; terms: Terms },
): Promise<Hex> {
  const id = agreementId({ ...by.deployment, terms: by.terms })
  const digest = acceptanceDigest(await accountContext(by), id)
  return payeeSignature(by.terms, signTypedDigest(by.key, digest))
}

/**
 * Brings home what the clearing house has for the machine's account: escrow that was left, refunds, and what its positions in `agreementIds`
 * have earned. For anyone. Answers how much, smallest units.
 */
export async function reclaim(
  action: PartyAction & { asset: Hex; agreementIds?: readonly Hex[] },
): Promise<bigint> {
  await requireParty(action)
  const { asset, agreementIds = [], publicClient } = action
  if (agreementIds.length > 0) await credit({ ...action, agreementIds })
  const account = accountAddress(action)
  const { result } = await publicClient.simulateContract({
    address: account,
    abi: machineAccountAbi,
    functionName: 'reclaim',
    args: [asset],
    account: action.wallet.account,
  })
  if (result > 0n) await call(action, 'reclaim', [asset])
  return result
}

async function requireParty(by: OneParty): Promise<void> {
  const implementation = by.deployment.accounts?.machineAccount
  // `accountAddress` says what is missing where there are no accounts at all.
  if (implementation === undefined) return void accountAddress(by)
  try {
    await by.publicClient.readContract({
      address: implementation,
      abi: machineAccountAbi,
      functionName: 'house',
    })
  } catch (error) {
    const answered =
      error instanceof BaseError &&
      error.walk(
        (cause) =>
          cause instanceof ContractFunctionRevertedError ||
          cause instanceof ContractFunctionZeroDataError,
      ) !== null
    if (!answered) throw error
    throw new LiquefyError(
      'ACCOUNTS_TOO_OLD',
      "Machines' accounts of this ledger are no parties to agreements: an earlier version deployed them, and nobody can change them. Let the owner open the agreement, or use a new ledger.",
      { cause: error },
    )
  }
}

function call(action: PartyAction, functionName: string, args: readonly unknown[]) {
  return send(action, { address: accountAddress(action), abi, functionName, args })
}
