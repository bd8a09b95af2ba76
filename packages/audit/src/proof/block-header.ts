import { type Hex, isHex, keccak256, toRlp } from 'viem'

/** What proofs need of a block, after its hash was computed from all of its header. */
export interface BlockHeader {
  number: bigint
  hash: Hex
  parentHash: Hex
  stateRoot: Hex
  receiptsRoot: Hex
  logsBloom: Hex
  /** Seconds since 1970. */
  seconds: number
}

/** In the order of the header. A quantity has no leading zeros in RLP, data stands as it is. */
const FIELDS = [
  ['parentHash', 'data'],
  ['sha3Uncles', 'data'],
  ['miner', 'data'],
  ['stateRoot', 'data'],
  ['transactionsRoot', 'data'],
  ['receiptsRoot', 'data'],
  ['logsBloom', 'data'],
  ['difficulty', 'quantity'],
  ['number', 'quantity'],
  ['gasLimit', 'quantity'],
  ['gasUsed', 'quantity'],
  ['timestamp', 'quantity'],
  ['extraData', 'data'],
  ['mixHash', 'data'],
  ['nonce', 'data'],
] as const

/** Added by London, Shanghai, Cancun (three) and Prague; Osaka adds none. A header has them up to one of them. */
const LATER_FIELDS = [
  ['baseFeePerGas', 'quantity'],
  ['withdrawalsRoot', 'data'],
  ['blobGasUsed', 'quantity'],
  ['excessBlobGas', 'quantity'],
  ['parentBeaconBlockRoot', 'data'],
  ['requestsHash', 'data'],
] as const

const BLOOM_CHARACTERS = 2 + 2 * 256

/**
 * Computes the hash of a block from what an endpoint says of its header (`eth_getBlockBy…`; Yellow Paper 4.3.3, EIP-1559, EIP-4895, EIP-4844,
 * EIP-4788, EIP-7685). Undefined if that is no header. Nothing else of the answer is used, its own `hash` least of all.
 */
export function readHeader(answer: unknown): BlockHeader | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const block = answer as Record<string, unknown>
  const items: Hex[] = []
  for (const [name, kind] of FIELDS) {
    const item = rlpItem(block[name], kind)
    if (item === undefined) return undefined
    items.push(item)
  }
  for (const [name, kind] of LATER_FIELDS) {
    if (block[name] === undefined || block[name] === null) break
    const item = rlpItem(block[name], kind)
    if (item === undefined) return undefined
    items.push(item)
  }
  const { number, parentHash, stateRoot, receiptsRoot, logsBloom, timestamp } = block as Record<
    string,
    Hex
  >
  if (!number || !parentHash || !stateRoot || !receiptsRoot || !logsBloom || !timestamp) {
    return undefined
  }
  if (logsBloom.length !== BLOOM_CHARACTERS) return undefined
  return {
    number: BigInt(number),
    hash: keccak256(toRlp(items)),
    parentHash: lower(parentHash),
    stateRoot: lower(stateRoot),
    receiptsRoot: lower(receiptsRoot),
    logsBloom: lower(logsBloom),
    seconds: Number(timestamp),
  }
}

const lower = (hex: Hex) => hex.toLowerCase() as Hex

/** As RLP takes it; undefined if it is no such thing. */
export function rlpItem(value: unknown, kind: 'data' | 'quantity'): Hex | undefined {
  if (!isHex(value)) return undefined
  if (kind === 'data') return value.length % 2 === 0 ? value : undefined
  if (value.length === 2) return undefined
  const digits = value.slice(2).replace(/^0+/, '')
  if (digits === '') return '0x'
  return digits.length % 2 === 0 ? `0x${digits}` : `0x0${digits}`
}
