import { testEuroAbi } from '@liquefy/abi'
import {
  AUTHORIZATION_TYPES,
  authorizationNonce,
  clearingHouseDomain,
  FUNDING_TYPES,
  type Funding,
} from '@liquefy/protocol'
import { bytesToHex, encodeAbiParameters, parseSignature } from 'viem'
import { type AgreementAction, houseCall } from './agreement-ledger.ts'
import { tokenDomain } from './token-domain.ts'
import { type Call, send } from './transaction.ts'
import type { Hex } from './types.ts'

/** So long a signature may be relayed, unless told. */
const RELAY_SECONDS = 3_600n

/** How much goes into which agreement; `asset` is that of its terms. */
type Payment = { agreementId: Hex; asset: Hex; amountMinor: bigint }

/** A funding with its payer's signature, for anybody to relay. `permit` is empty where the allowance is there. */
export interface SignedFunding {
  funding: Funding
  signature: Hex
  permit: Hex
}

/** An ERC-3009 authorization that counts for one agreement, for anybody to relay. Times in s since 1970. */
export interface FundingAuthorization {
  agreementId: Hex
  from: Hex
  amountMinor: bigint
  validAfter: bigint
  validBefore: bigint
  salt: Hex
  signature: Hex
}

const PERMIT_TYPES = {
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const

/** What the wallet's own account holds of a token, smallest units. */
export function tokensOf({
  publicClient,
  wallet,
  asset,
}: Pick<AgreementAction, 'publicClient' | 'wallet'> & { asset: Hex }): Promise<bigint> {
  const args = [wallet.account.address] as const
  return publicClient.readContract({
    address: asset,
    abi: testEuroAbi,
    functionName: 'balanceOf',
    args,
  })
}

/** Allows the clearing house to take `amountMinor` of the asset for funding. */
export function approve(action: AgreementAction & { asset: Hex; amountMinor: bigint }) {
  return send(action, approveCall(action))
}

/** The call that allows the clearing house to take `amountMinor` of the asset. */
export function approveCall({
  deployment,
  asset,
  amountMinor,
}: Pick<AgreementAction, 'deployment'> & { asset: Hex; amountMinor: bigint }): Call {
  const args = [deployment.clearingHouse, amountMinor]
  return { address: asset, abi: testEuroAbi, functionName: 'approve', args }
}

/** Adds what was approved before to an agreement's escrow. */
export function fund(action: AgreementAction & { agreementId: Hex; amountMinor: bigint }) {
  return send(action, fundCall(action))
}

/** The call that adds what was approved before to an agreement's escrow. */
export function fundCall({
  deployment,
  agreementId,
  amountMinor,
}: Pick<AgreementAction, 'deployment'> & { agreementId: Hex; amountMinor: bigint }): Call {
  return houseCall(deployment, 'fund', [agreementId, amountMinor])
}

/**
 * Signs that an amount of the wallet's tokens may go into an agreement, once and within an hour. The allowance must be there when it
 * is relayed, or come with `signPermit`.
 */
export async function signFunding(
  action: AgreementAction & Omit<Payment, 'asset'>,
): Promise<Omit<SignedFunding, 'permit'>> {
  const { deployment, wallet } = action
  const funding: Funding = {
    agreementId: action.agreementId,
    from: wallet.account.address,
    amount: action.amountMinor,
    salt: randomSalt(),
    deadline: await relayDeadline(action),
  }
  const signature = await wallet.signTypedData({
    account: wallet.account,
    domain: clearingHouseDomain(deployment.chainId, deployment.clearingHouse),
    types: FUNDING_TYPES,
    primaryType: 'Funding',
    message: funding,
  })
  return { funding, signature }
}

/**
 * Signs an EIP-2612 permit for the clearing house to take `amountMinor`, as `fundSigned` carries it.
 *
 * @throws LiquefyError `TOKEN_SIGNS_NOTHING` if the asset knows no permits.
 */
export async function signPermit(
  action: AgreementAction & { asset: Hex; amountMinor: bigint },
): Promise<Hex> {
  const { asset, publicClient, wallet } = action
  const owner = wallet.account.address
  const domain = await tokenDomain(publicClient, asset)
  const nonce = await publicClient.readContract({
    address: asset,
    abi: testEuroAbi,
    functionName: 'nonces',
    args: [owner],
  })
  const deadline = await relayDeadline(action)
  const signature = await wallet.signTypedData({
    account: wallet.account,
    domain,
    types: PERMIT_TYPES,
    primaryType: 'Permit',
    message: {
      owner,
      spender: action.deployment.clearingHouse,
      value: action.amountMinor,
      nonce,
      deadline,
    },
  })
  const { v, r, s } = partsOf(signature)
  return encodeAbiParameters(
    [{ type: 'uint256' }, { type: 'uint8' }, { type: 'bytes32' }, { type: 'bytes32' }],
    [deadline, v, r, s],
  )
}

/** Relays a signed funding. For anyone. */
export function fundSigned(action: AgreementAction & SignedFunding) {
  const { deployment, funding, signature, permit } = action
  return send(action, houseCall(deployment, 'fundSigned', [funding, signature, permit]))
}

/** Adds to an agreement's escrow in one transaction of the wallet's, by a permit instead of an approval. */
export async function fundWithPermit(action: AgreementAction & Payment) {
  const permit = await signPermit(action)
  const funding: Funding = {
    agreementId: action.agreementId,
    from: action.wallet.account.address,
    amount: action.amountMinor,
    salt: randomSalt(),
    deadline: await relayDeadline(action),
  }
  // Who sends his own funding need not sign it.
  return fundSigned({ ...action, funding, signature: '0x', permit })
}

/**
 * Signs an ERC-3009 `ReceiveWithAuthorization` that only this agreement can use, once and within an hour.
 *
 * @throws LiquefyError `TOKEN_SIGNS_NOTHING` if the asset knows no signed transfers.
 */
export async function signAuthorization(
  action: AgreementAction & Payment,
): Promise<FundingAuthorization> {
  const { deployment, publicClient, wallet, agreementId, asset, amountMinor } = action
  const from = wallet.account.address
  const domain = await tokenDomain(publicClient, asset)
  const salt = randomSalt()
  const validAfter = 0n
  const validBefore = await relayDeadline(action)
  const signature = await wallet.signTypedData({
    account: wallet.account,
    domain,
    types: { ReceiveWithAuthorization: AUTHORIZATION_TYPES.ReceiveWithAuthorization },
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from,
      to: deployment.clearingHouse,
      value: amountMinor,
      validAfter,
      validBefore,
      nonce: authorizationNonce(agreementId, salt),
    },
  })
  return { agreementId, from, amountMinor, validAfter, validBefore, salt, signature }
}

/** Relays an authorization. For anyone. */
export function fundWithAuthorization(
  action: AgreementAction & { authorization: FundingAuthorization },
) {
  return send(action, authorizedFundingCall(action.deployment, action.authorization))
}

/** The call that relays an authorization. */
export function authorizedFundingCall(
  deployment: AgreementAction['deployment'],
  authorization: FundingAuthorization,
): Call {
  const { agreementId, from, amountMinor, validAfter, validBefore, salt, signature } = authorization
  const { v, r, s } = partsOf(signature)
  const args = [agreementId, from, amountMinor, validAfter, validBefore, salt, v, r, s]
  return houseCall(deployment, 'fundWithAuthorization', args)
}

function randomSalt(): Hex {
  return bytesToHex(crypto.getRandomValues(new Uint8Array(32)))
}

async function relayDeadline({
  publicClient,
}: Pick<AgreementAction, 'publicClient'>): Promise<bigint> {
  const { timestamp } = await publicClient.getBlock()
  return timestamp + RELAY_SECONDS
}

function partsOf(signature: Hex): { v: number; r: Hex; s: Hex } {
  const { r, s, yParity } = parseSignature(signature)
  return { v: 27 + yParity, r, s }
}
