import { type Hex, isHex, toRlp } from 'viem'
import { rlpItem } from './block-header.ts'

/** A log as its block commits to it. */
interface ReceiptLog {
  address: Hex
  topics: Hex[]
  data: Hex
}

/** A receipt in its consensus form, and its logs. */
export interface Receipt {
  /** EIP-2718: type and RLP; a legacy one is RLP alone. */
  encoded: Hex
  logs: ReceiptLog[]
}

/**
 * Reads what `eth_getBlockReceipts` answers; undefined if that is no list of receipts. Only what the receipts root commits to is taken.
 * Receipts from before Byzantium, and those of chains that add fields to them, have other encodings: their root will not fit.
 */
export function readReceipts(answer: unknown): Receipt[] | undefined {
  if (!Array.isArray(answer)) return undefined
  const receipts = answer.map(readReceipt)
  return receipts.every((receipt) => receipt !== undefined) ? receipts : undefined
}

function readReceipt(answer: unknown): Receipt | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { type, status, cumulativeGasUsed, logsBloom, logs } = answer as Record<string, unknown>
  const typeItem = typeOf(type)
  const head = [
    rlpItem(status, 'quantity'),
    rlpItem(cumulativeGasUsed, 'quantity'),
    rlpItem(logsBloom, 'data'),
  ]
  if (typeItem === undefined || !Array.isArray(logs)) return undefined
  const read = logs.map(readLog)
  if (!head.every((item) => item !== undefined) || !read.every((log) => log !== undefined)) {
    return undefined
  }
  const body = toRlp([...head, read.map(({ address, topics, data }) => [address, topics, data])])
  return {
    encoded: typeItem === '0x' ? body : `${typeItem}${body.slice(2)}`,
    logs: read,
  }
}

/**
 * Types of transactions that Ethereum has (EIP-2930, 1559, 4844, 7702); the empty item for the first one. One byte and no more: a longer "type"
 * could hold the beginning of a true receipt, whose end somebody has made to read as another one.
 */
function typeOf(type: unknown): Hex | undefined {
  const item = rlpItem(type, 'quantity')
  return item === '0x' || (item !== undefined && /^0x0[1-4]$/.test(item)) ? item : undefined
}

function readLog(answer: unknown): ReceiptLog | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { address, topics, data } = answer as Record<string, unknown>
  const isData = (value: unknown): value is Hex => isHex(value) && value.length % 2 === 0
  if (!isData(address) || !isData(data) || !Array.isArray(topics) || !topics.every(isData)) {
    return undefined
  }
  const lower = (hex: Hex) => hex.toLowerCase() as Hex
  return { address: lower(address), topics: topics.map(lower), data: lower(data) }
}
