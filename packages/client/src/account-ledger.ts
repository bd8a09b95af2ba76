import { machineAccountAbi, machineRegistryAbi } from '@liquefy/abi'
import {
  type AccountAuthorization,
  type AccountContext,
  type AccountPayment,
  accountPaymentDigest,
  authorizationHash,
  bookingDay,
  bookingDigest,
  LiquefyError,
  machineAccountAddress,
  machineSignature,
  type SigningKey,
  signTypedDigest,
} from '@liquefy/protocol'
import { decodeErrorResult, encodeFunctionData, type PublicClient, parseAbi, zeroHash } from 'viem'
import { refusalText } from './refusal.ts'
import { type Call, type Sender, send } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** A machine of a ledger whose machines have accounts. */
export interface OneAccount {
  deployment: Pick<Deployment, 'chainId' | 'registry' | 'accounts'>
  publicClient: PublicClient
  machineId: bigint
}

type AccountAction = OneAccount & Sender

/** What a machine's key may spend of one asset. Amounts in smallest units; `expiry` in seconds, its last one. */
export interface SpendingPolicy {
  perPayment: bigint
  perDay: bigint
  expiry: bigint
  counterparties: readonly Hex[]
}

/** A payment that a machine's key signed. Anyone may relay it: `payFromAccount`. */
export interface SignedPayment {
  payment: AccountPayment
  signature: Hex
}

/** A transfer by ERC-3009 that a machine's key signed for one day. Booked (`bookTransfer`), `accountSignature` is good for the token on that day. */
export interface SignedTransfer {
  authorization: AccountAuthorization
  day: bigint
  signature: Hex
  accountSignature: Hex
}

/** What is called of the registry that ERC-6551 specifies. */
const erc6551RegistryAbi = parseAbi([
  'function createAccount(address implementation, bytes32 salt, uint256 chainId, address tokenContract, uint256 tokenId) returns (address)',
  'error AccountCreationFailed()',
])

const PAYMENT_SECONDS = 3_600n
/** The only operation of ERC-6551 that the account knows. */
const PLAIN_CALL = 0

/**
 * Where a machine's account stands, whether it was created yet or not.
 *
 * @throws LiquefyError `ACCOUNTS_MISSING` on a ledger whose contracts an earlier version deployed.
 */
export function accountAddress({ deployment, machineId }: Omit<OneAccount, 'publicClient'>): Hex {
  const { chainId, registry } = deployment
  const { machineAccount: implementation } = accountsOf(deployment)
  return machineAccountAddress({ chainId, registry, implementation, machineId })
}

/** Creates a machine's account; does nothing if it is there. For anyone. */
export function createAccount(action: AccountAction) {
  const { deployment, machineId } = action
  const { erc6551Registry, machineAccount } = accountsOf(deployment)
  return send(action, {
    address: erc6551Registry,
    abi: erc6551RegistryAbi,
    functionName: 'createAccount',
    args: [machineAccount, zeroHash, BigInt(deployment.chainId), deployment.registry, machineId],
  })
}

/** Says what the machine's key may spend of an asset, until the machine changes hands. For its owner. */
export function setSpendingPolicy(action: AccountAction & { asset: Hex; policy: SpendingPolicy }) {
  const { asset, policy } = action
  return call(action, 'setPolicy', [asset, policy])
}

/** Stops all spending by the machine's key, or lets it go on. For its owner. */
export function pauseSpending(action: AccountAction & { paused: boolean }) {
  return call(action, 'setPaused', [action.paused])
}

/** Has the machine's DID name its current key and no other; ends the DID of a decommissioned machine. For anyone. */
export function publishMachineKey(action: AccountAction) {
  return call(action, 'publishKey', [])
}

/** Signs a payment out of the machine's account, good for an hour. `salt` tells apart two that are alike. */
export async function signAccountPayment(
  by: OneAccount & { key: SigningKey; asset: Hex; to: Hex; amountMinor: bigint; salt: Hex },
): Promise<SignedPayment> {
  const { asset, to, amountMinor: amount, salt, key, publicClient } = by
  const [context, { timestamp }] = await Promise.all([accountContext(by), publicClient.getBlock()])
  const payment = { asset, to, amount, salt, deadline: timestamp + PAYMENT_SECONDS }
  return { payment, signature: signTypedDigest(key, accountPaymentDigest(context, payment)) }
}

/** Relays a payment. For anyone; a refusal names the line of the owner's policy. */
export function payFromAccount(action: AccountAction & SignedPayment) {
  return call(action, 'pay', [action.payment, action.signature])
}

/** Signs that a token may move `authorization` out of the machine's account today, by the ledger's clock. */
export async function signTransfer(
  by: OneAccount & { key: SigningKey; authorization: AccountAuthorization },
): Promise<SignedTransfer> {
  const { key, authorization, publicClient } = by
  const [context, { timestamp }] = await Promise.all([accountContext(by), publicClient.getBlock()])
  const day = bookingDay(timestamp)
  const signature = signTypedDigest(key, bookingDigest(context, authorization, day))
  const accountSignature = machineSignature(authorization, day, signature)
  return { authorization, day, signature, accountSignature }
}

/** Counts a transfer into its day, after which the token may move it. For anyone; a refusal names the line of the owner's policy. */
export function bookTransfer(action: AccountAction & SignedTransfer) {
  return call(action, 'book', [action.authorization, action.day, action.signature])
}

/** Why the account would refuse to a token what was signed, in words and by the contract's own name; undefined if it would not. */
export async function explainTransfer(
  by: OneAccount & SignedTransfer,
): Promise<{ errorName: string; words: string } | undefined> {
  const account = accountAddress(by)
  const { chainId } = by.deployment
  const data = await by.publicClient.readContract({
    address: account,
    abi: machineAccountAbi,
    functionName: 'explainSignature',
    args: [authorizationHash({ chainId, account }, by.authorization), by.accountSignature],
  })
  if (data === '0x') return undefined
  const error = decodeErrorResult({ abi: machineAccountAbi, data })
  return { errorName: error.errorName, words: refusalText('isValidSignature', error) }
}

/** Has the account make a call of a contract: for the machine's owner. A refusal is the contract's own. */
export function callFromAccount(action: AccountAction & { call: Call }) {
  const { address, abi, functionName, args } = action.call
  const data = encodeFunctionData({ abi, functionName, args })
  const refusals = abi.filter(({ type }) => type === 'error')
  return send(action, {
    address: accountAddress(action),
    abi: [...machineAccountAbi, ...refusals],
    functionName: 'execute',
    args: [address, 0n, data, PLAIN_CALL],
  })
}

/** What all that a machine's key signs for its account is bound to, as of now. */
export async function accountContext(by: OneAccount): Promise<AccountContext> {
  const { chainId, registry } = by.deployment
  const tenure = await by.publicClient.readContract({
    address: registry,
    abi: machineRegistryAbi,
    functionName: 'tenureOf',
    args: [by.machineId],
  })
  return { chainId, account: accountAddress(by), tenure }
}

function call(action: AccountAction, functionName: string, args: readonly unknown[]) {
  return send(action, {
    address: accountAddress(action),
    abi: machineAccountAbi,
    functionName,
    args,
  })
}

function accountsOf({ accounts }: OneAccount['deployment']) {
  if (accounts) return accounts
  throw new LiquefyError(
    'ACCOUNTS_MISSING',
    'Machines of this ledger have no accounts: an earlier version deployed its contracts, which nobody can change. A new ledger has them.',
  )
}
