import {
  type Hex,
  isHex,
  keccak256,
  parseTransaction,
  recoverTransactionAddress,
  type TransactionSerialized,
} from 'viem'
import { BLOCK_GAS_LIMIT } from './anvil.ts'
import { RpcError } from './json-rpc.ts'

/** A signed transaction, and what its bytes say. */
export interface RawTransaction {
  raw: Hex
  hash: Hex
  /** Lower case. */
  from: Hex
  nonce: number
  gas: bigint
}

/** A contract's creation is at most 48 KiB of init code; nothing that the node sends is larger than this. */
const MAX_BYTES = 128 * 1024

/** -32000: the transaction is refused for what it is. */
const INVALID = -32000

/**
 * Reads a raw transaction and recovers its sender. Throws {@link RpcError} for whatever can never be mined on
 * this chain: malformed, unsigned, for another chain, blobs, more gas than a block has.
 */
export async function readRawTransaction(input: unknown, chainId: number): Promise<RawTransaction> {
  if (typeof input !== 'string' || !isHex(input) || input.length % 2 === 1) {
    throw new RpcError(-32602, 'eth_sendRawTransaction wants one 0x string of whole bytes.')
  }
  const raw = input.toLowerCase() as Hex
  if (raw.length / 2 > MAX_BYTES) {
    throw new RpcError(INVALID, `oversized data: a transaction has at most ${MAX_BYTES} bytes`)
  }
  let parsed: ReturnType<typeof parseTransaction>
  let from: Hex
  try {
    parsed = parseTransaction(raw)
    const serializedTransaction = raw as TransactionSerialized
    from = (await recoverTransactionAddress({ serializedTransaction })).toLowerCase() as Hex
  } catch {
    throw new RpcError(INVALID, 'invalid transaction: not a signed Ethereum transaction')
  }
  if (parsed.chainId !== chainId) {
    throw new RpcError(
      INVALID,
      `invalid chain id for signer: have ${parsed.chainId ?? 'none'} want ${chainId}`,
    )
  }
  if (parsed.type === 'eip4844') {
    throw new RpcError(INVALID, 'transaction type not supported: the embedded chain keeps no blobs')
  }
  const gas = parsed.gas ?? 0n
  if (gas > BLOCK_GAS_LIMIT) {
    throw new RpcError(INVALID, `exceeds block gas limit: ${gas} of ${BLOCK_GAS_LIMIT}`)
  }
  return { raw, hash: keccak256(raw), from, nonce: parsed.nonce ?? 0, gas }
}
