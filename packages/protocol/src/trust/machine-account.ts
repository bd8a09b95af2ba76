import type { Address, Hex } from 'viem'
import {
  concatHex,
  encodeAbiParameters,
  getContractAddress,
  hashTypedData,
  numberToHex,
  pad,
} from 'viem/utils'
import { AUTHORIZATION_TYPES } from './typed-data.ts'

/** The account of a machine on one ledger, and the hands that it is in: part of all that is signed for it. */
export type AccountContext = { chainId: number; account: Address; tenure: Hex }

/** What a machine's key signs to pay out of its account. Amount in smallest units, deadline in seconds. */
export type AccountPayment = {
  asset: Address
  to: Address
  amount: bigint
  salt: Hex
  deadline: bigint
}

/**
 * A transfer by ERC-3009 that a token asks the account about by ERC-1271. `toSubmits`: of the kind ReceiveWithAuthorization, which only
 * `to` can submit. `name` and `version` are those of the token's EIP-712 domain. Times in seconds.
 */
export type AccountAuthorization = {
  asset: Address
  to: Address
  amount: bigint
  toSubmits: boolean
  validAfter: bigint
  validBefore: bigint
  nonce: Hex
  name: string
  version: string
}

const SECONDS_A_DAY = 86_400n
const ERC6551_REGISTRY: Address = '0x000000006551c19487814612e58FE06813775758'

const ACCOUNT_TYPES = {
  Payment: [
    { name: 'asset', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'salt', type: 'bytes32' },
    { name: 'deadline', type: 'uint256' },
    { name: 'tenure', type: 'bytes32' },
  ],
  Booking: [
    { name: 'asset', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'hash', type: 'bytes32' },
    { name: 'day', type: 'uint256' },
    { name: 'tenure', type: 'bytes32' },
  ],
  OwnerSignature: [
    { name: 'hash', type: 'bytes32' },
    { name: 'tenure', type: 'bytes32' },
  ],
} as const

const MACHINE_SIGNATURE = [
  {
    type: 'tuple',
    components: [
      { name: 'asset', type: 'address' },
      { name: 'to', type: 'address' },
      { name: 'amount', type: 'uint256' },
      { name: 'toSubmits', type: 'bool' },
      { name: 'validAfter', type: 'uint256' },
      { name: 'validBefore', type: 'uint256' },
      { name: 'nonce', type: 'bytes32' },
      { name: 'name', type: 'string' },
      { name: 'version', type: 'string' },
    ],
  },
  { type: 'uint256' },
  { type: 'bytes' },
] as const

/** Where the account of a machine stands, whether it was created yet or not: ERC-6551, salt zero. `implementation` is `MachineAccount`. */
export function machineAccountAddress(input: {
  chainId: number
  registry: Address
  implementation: Address
  machineId: bigint
}): Hex {
  const words = [
    pad('0x'),
    numberToHex(input.chainId, { size: 32 }),
    pad(input.registry),
    numberToHex(input.machineId, { size: 32 }),
  ]
  const bytecode = concatHex([
    '0x3d60ad80600a3d3981f3363d3d373d3d3d363d73',
    input.implementation,
    '0x5af43d82803e903d91602b57fd5bf3',
    ...words,
  ])
  return getContractAddress({
    opcode: 'CREATE2',
    from: ERC6551_REGISTRY,
    salt: pad('0x'),
    bytecode,
  }).toLowerCase() as Hex
}

/** The digest that a machine's key signs for a payment out of its account. */
export function accountPaymentDigest(context: AccountContext, payment: AccountPayment): Hex {
  return hashTypedData({
    domain: accountDomain(context),
    types: ACCOUNT_TYPES,
    primaryType: 'Payment',
    message: { ...payment, tenure: context.tenure },
  })
}

/** What the token asks the account about: the EIP-712 digest of ERC-3009. */
export function authorizationHash(
  { chainId, account }: Pick<AccountContext, 'chainId' | 'account'>,
  authorization: AccountAuthorization,
): Hex {
  const { asset, name, version, to, amount, validAfter, validBefore, nonce } = authorization
  return hashTypedData({
    domain: { name, version, chainId, verifyingContract: asset },
    types: AUTHORIZATION_TYPES,
    primaryType: authorization.toSubmits ? 'ReceiveWithAuthorization' : 'TransferWithAuthorization',
    message: { from: account, to, value: amount, validAfter, validBefore, nonce },
  })
}

/** The digest that a machine's key signs so that a token may move `authorization` on that day (`bookingDay`). */
export function bookingDigest(
  context: AccountContext,
  authorization: AccountAuthorization,
  day: bigint,
): Hex {
  const { asset, to, amount } = authorization
  const hash = authorizationHash(context, authorization)
  return hashTypedData({
    domain: accountDomain(context),
    types: ACCOUNT_TYPES,
    primaryType: 'Booking',
    message: { asset, to, amount, hash, day, tenure: context.tenure },
  })
}

/** The day of UTC that a time in seconds is in, counted from 1970. */
export function bookingDay(seconds: bigint): bigint {
  return seconds / SECONDS_A_DAY
}

/** What a token is given as the account's signature for a booked authorization; `signature` is the machine's over `bookingDigest`. */
export function machineSignature(
  authorization: AccountAuthorization,
  day: bigint,
  signature: Hex,
): Hex {
  return concatHex([
    '0x01',
    encodeAbiParameters(MACHINE_SIGNATURE, [authorization, day, signature]),
  ])
}

/** The typed data that the account's owner signs so that the account stands for `hash` (ERC-1271), ready for `signTypedData`. */
export function ownerSignatureTypedData(context: AccountContext, hash: Hex) {
  return {
    domain: accountDomain(context),
    types: { OwnerSignature: ACCOUNT_TYPES.OwnerSignature },
    primaryType: 'OwnerSignature',
    message: { hash, tenure: context.tenure },
  } as const
}

/** What is given as the account's signature for a hash that its owner signed. */
export function ownerSignature(signature: Hex): Hex {
  return concatHex(['0x00', signature])
}

/** The EIP-712 domain of a machine's account. */
export function accountDomain({ chainId, account }: Pick<AccountContext, 'chainId' | 'account'>) {
  return { name: 'Liquefy MachineAccount', version: '1', chainId, verifyingContract: account }
}
