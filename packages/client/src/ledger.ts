import { clearingHouseAbi, machineRegistryAbi, testEuroAbi } from '@liquefy/abi'
import {
  agreementId,
  CURVE_NUMBER,
  keyId,
  LiquefyError,
  type PrivateKey,
  registerDigest,
  signTypedDigest,
  type Terms,
} from '@liquefy/protocol'
import {
  type Abi,
  type Account,
  type Chain,
  type Hash,
  type PublicClient,
  parseEventLogs,
  type TransactionReceipt,
  type Transport,
  type WalletClient,
  zeroAddress,
} from 'viem'
import type { Deployment, Hex } from './types.ts'

/** A party's wallet. */
export type Wallet = WalletClient<Transport, Chain | undefined, Account>

/** What every ledger action needs. */
export interface LedgerAction {
  /** Where the contracts are: `createClient({ url }).deployment()`. */
  deployment: Pick<Deployment, 'chainId' | 'registry' | 'clearingHouse' | 'p256Sha256Verifier'>
  publicClient: PublicClient
  /** Who sends the transaction. */
  wallet: Wallet
  /** Given by whoever sends several transactions at once; else the wallet asks the ledger. */
  nonce?: number
}

/** A transaction stands in a block, and was refused by the contract. */
export class TransactionRevertedError extends LiquefyError {
  readonly hash: Hash

  constructor(functionName: string, hash: Hash) {
    super(
      'TRANSACTION_REVERTED',
      `${functionName} was refused by the contract in ${hash}; simulate it to learn why.`,
    )
    this.hash = hash
  }
}

const PROOF_SECONDS = 3_600n

/**
 * Registers a machine for the wallet's account, with its key's proof of possession; answers its id. It is `registered`:
 * call `activateMachine` next.
 */
export async function registerMachine(action: LedgerAction & { key: PrivateKey }): Promise<bigint> {
  const { deployment, publicClient, wallet, key } = action
  const owner = wallet.account.address
  const verifier = key.curve === 'P-256' ? deployment.p256Sha256Verifier : zeroAddress
  const { timestamp } = await publicClient.getBlock()
  const deadline = timestamp + PROOF_SECONDS
  const { chainId, registry } = deployment
  const digest = registerDigest({
    chainId,
    registry,
    owner,
    verifier,
    deadline,
    keyId: keyId(key.publicKey),
  })
  const { x, y } = key.publicKey
  const receipt = await send(action, registry, machineRegistryAbi, 'register', [
    owner,
    { curve: CURVE_NUMBER[key.curve], verifier, x, y },
    deadline,
    signTypedDigest(key, digest),
  ])
  const [event] = parseEventLogs({
    abi: machineRegistryAbi,
    eventName: 'MachineRegistered',
    logs: receipt.logs,
  })
  if (!event) throw new TransactionRevertedError('register', receipt.transactionHash)
  return event.args.machineId
}

/** Moves a registered machine to `active`. For its owner. */
export function activateMachine(action: LedgerAction & { machineId: bigint }) {
  const { registry } = action.deployment
  return send(action, registry, machineRegistryAbi, 'activate', [action.machineId])
}

/**
 * Signs an agreement's id in the name of a party, for the other one to open it with. The id is an EIP-712 digest, which an
 * account that holds its key signs as it stands.
 *
 * @throws LiquefyError `ACCOUNT_CANNOT_SIGN` for accounts that cannot sign a digest: let that party send instead.
 */
export async function authorizeAgreement(input: {
  deployment: LedgerAction['deployment']
  account: Account
  terms: Terms
}): Promise<Hex> {
  if (!input.account.sign) {
    throw new LiquefyError(
      'ACCOUNT_CANNOT_SIGN',
      'This account signs no digests. Let it send `openAgreement`, and the other party sign.',
    )
  }
  return input.account.sign({ hash: agreementId({ ...input.deployment, terms: input.terms }) })
}

/** Opens an agreement; answers its id. A party that is not the sender has to have signed it. */
export async function openAgreement(
  action: LedgerAction & { terms: Terms; payerSignature?: Hex; payeeSignature?: Hex },
): Promise<Hex> {
  const { deployment, terms, payerSignature = '0x', payeeSignature = '0x' } = action
  await send(action, deployment.clearingHouse, clearingHouseAbi, 'open', [
    terms,
    payerSignature,
    payeeSignature,
  ])
  return agreementId({ ...deployment, terms })
}

/** Allows the clearing house to take `amountMinor` of the asset for funding. */
export function approve(action: LedgerAction & { asset: Hex; amountMinor: bigint }) {
  const { clearingHouse } = action.deployment
  return send(action, action.asset, testEuroAbi, 'approve', [clearingHouse, action.amountMinor])
}

/** Adds what was approved before to an agreement's escrow. */
export function fund(action: LedgerAction & { agreementId: Hex; amountMinor: bigint }) {
  const { clearingHouse } = action.deployment
  return send(action, clearingHouse, clearingHouseAbi, 'fund', [
    action.agreementId,
    action.amountMinor,
  ])
}

/** Moves what positions have earned to their owners' balances. For anyone. */
export function credit(action: LedgerAction & { agreementIds: readonly Hex[] }) {
  const { clearingHouse } = action.deployment
  return send(action, clearingHouse, clearingHouseAbi, 'credit', [action.agreementIds])
}

/** What an account may withdraw, smallest units. */
export function balanceOf(
  action: Pick<LedgerAction, 'deployment' | 'publicClient'> & { account: Hex; asset: Hex },
): Promise<bigint> {
  return action.publicClient.readContract({
    address: action.deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'balanceOfAsset',
    args: [action.account, action.asset],
  })
}

/** Pays out of the wallet's balance to its own account. */
export function withdraw(action: LedgerAction & { asset: Hex; amountMinor: bigint }) {
  const { clearingHouse } = action.deployment
  return send(action, clearingHouse, clearingHouseAbi, 'withdraw', [
    action.asset,
    action.amountMinor,
    action.wallet.account.address,
  ])
}

/** In percent: what comes before it in its block may make a call cost more than when it was estimated. */
const GAS_MARGIN = 150n

/** Estimates a call first, so that a refusal comes with the contract's own reason; sends it and waits for its block. */
async function send(
  { publicClient, wallet, nonce }: LedgerAction,
  address: Hex,
  abi: Abi,
  functionName: string,
  args: readonly unknown[],
): Promise<TransactionReceipt> {
  const call = { address, abi, functionName, args }
  // With a nonce of one's own, what the call needs may still be under way: only the block can judge it.
  const gas =
    nonce === undefined
      ? await publicClient.estimateContractGas({
          ...call,
          account: wallet.account,
          blockTag: 'pending',
        })
      : undefined
  const hash = await wallet.writeContract({
    ...call,
    chain: wallet.chain ?? null,
    account: wallet.account,
    ...(nonce === undefined ? {} : { nonce }),
    ...(gas === undefined ? {} : { gas: (gas * GAS_MARGIN) / 100n }),
  })
  const receipt = await publicClient.waitForTransactionReceipt({ hash })
  if (receipt.status === 'reverted') throw new TransactionRevertedError(functionName, hash)
  return receipt
}
