import type { Hex } from '@liquefy/protocol'
import { encodeRecord } from './record.ts'

/** `<machineId>/<stream>`: what has a `seq` and a `prev` of its own. */
export type Chain = string

/** The last envelope of a chain; `seq` 0 and the zero digest before the first. */
export interface ChainHead {
  seq: bigint
  digest: Hex
}

/** What the node said when it logged an envelope. */
export interface LogReceipt {
  loggedAt: number
  code: string
}

export const KIND = { heads: 1, envelope: 2, receipt: 3 } as const

const hexBytes = (hex: Hex) => Buffer.from(hex.slice(2), 'hex')
const bytesHex = (bytes: Buffer): Hex => `0x${bytes.toString('hex')}`

/** First record of each segment: the heads of all chains, so that segments before it may be dropped. */
export function encodeHeads(heads: ReadonlyMap<Chain, ChainHead>): Buffer {
  const list = [...heads].map(([chain, head]) => [chain, head.seq.toString(), head.digest])
  return encodeRecord(KIND.heads, Buffer.from(JSON.stringify(list)))
}

export function decodeHeads(body: Buffer): Map<Chain, ChainHead> {
  const list = JSON.parse(body.toString('utf8')) as [Chain, string, Hex][]
  return new Map(list.map(([chain, seq, digest]) => [chain, { seq: BigInt(seq), digest }]))
}

/** Body: length of the chain's name (1 byte), name, seq (8 bytes), digest (32 bytes), envelope. */
export function encodeEnvelopeRecord(
  chain: Chain,
  seq: bigint,
  digest: Hex,
  bytes: Uint8Array,
): Buffer {
  const name = Buffer.from(chain)
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(seq)
  return encodeRecord(
    KIND.envelope,
    Buffer.concat([Uint8Array.of(name.length), name, number, hexBytes(digest), bytes]),
  )
}

/** `bytesAt` is the offset of the envelope's bytes within the body. */
export function decodeEnvelopeRecord(body: Buffer): {
  chain: Chain
  seq: bigint
  digest: Hex
  bytesAt: number
} {
  const nameEnd = 1 + body.readUInt8(0)
  return {
    chain: body.subarray(1, nameEnd).toString('utf8'),
    seq: body.readBigUInt64BE(nameEnd),
    digest: bytesHex(body.subarray(nameEnd + 8, nameEnd + 40)),
    bytesAt: nameEnd + 40,
  }
}

/** Body: digest (32 bytes), loggedAt (8 bytes), admission code. */
export function encodeReceiptRecord(digest: Hex, receipt: LogReceipt): Buffer {
  const time = Buffer.alloc(8)
  time.writeBigUInt64BE(BigInt(receipt.loggedAt))
  return encodeRecord(
    KIND.receipt,
    Buffer.concat([hexBytes(digest), time, Buffer.from(receipt.code)]),
  )
}

export function decodeReceiptRecord(body: Buffer): { digest: Hex; receipt: LogReceipt } {
  return {
    digest: bytesHex(body.subarray(0, 32)),
    receipt: {
      loggedAt: Number(body.readBigUInt64BE(32)),
      code: body.subarray(40).toString('utf8'),
    },
  }
}
