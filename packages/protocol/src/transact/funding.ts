import { encodeAbiParameters, type Hex, hashTypedData, keccak256 } from 'viem'
import { clearingHouseDomain } from './terms.ts'

/** A payer's word that `amount` (smallest units) of his tokens may go into an agreement. `deadline` in s since 1970. */
export type Funding = {
  agreementId: Hex
  from: Hex
  amount: bigint
  salt: Hex
  deadline: bigint
}

/** EIP-712 types of a funding, in the order of docs/protocol/agreement.md. */
export const FUNDING_TYPES = {
  Funding: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'from', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'salt', type: 'bytes32' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const

/** The EIP-712 digest that `from` signs, so that anybody may relay the funding. It counts once. */
export function fundingDigest(input: {
  chainId: number
  clearingHouse: Hex
  funding: Funding
}): Hex {
  return hashTypedData({
    domain: clearingHouseDomain(input.chainId, input.clearingHouse),
    types: FUNDING_TYPES,
    primaryType: 'Funding',
    message: input.funding,
  })
}

/** The ERC-3009 nonce that ties an authorization to one agreement: `keccak256(abi.encode(agreementId, salt))`. */
export function authorizationNonce(agreementId: Hex, salt: Hex): Hex {
  const parameters = [{ type: 'bytes32' }, { type: 'bytes32' }] as const
  return keccak256(encodeAbiParameters(parameters, [agreementId, salt]))
}
