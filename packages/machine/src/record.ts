import { createHash } from 'node:crypto'

/** One entry of a segment file: a kind and its bytes. */
export interface SpoolRecord {
  kind: number
  body: Buffer
}

const HEADER_BYTES = 8
const MAX_BODY_BYTES = 16 * 1024 * 1024

/** First four bytes of SHA-256: enough to see a torn write. */
const checksum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest().subarray(0, 4)

/** Length (4 bytes, big-endian), checksum (4 bytes), kind (1 byte), body. */
export function encodeRecord(kind: number, body: Uint8Array): Buffer {
  const content = Buffer.concat([Uint8Array.of(kind), body])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, checksum(content), content])
}

/** Where a record's body begins, counted from the record's first byte. */
export const BODY_OFFSET = HEADER_BYTES + 1

/** Reads the record at `offset`; `undefined` if what stands there is torn, damaged or the end. */
export function decodeRecord(
  file: Buffer,
  offset: number,
): (SpoolRecord & { next: number }) | undefined {
  if (offset + HEADER_BYTES > file.length) return undefined
  const length = file.readUInt32BE(offset)
  const start = offset + HEADER_BYTES
  if (length === 0 || length > MAX_BODY_BYTES || start + length > file.length) return undefined
  const content = file.subarray(start, start + length)
  if (!checksum(content).equals(file.subarray(offset + 4, start))) return undefined
  return { kind: content.readUInt8(0), body: content.subarray(1), next: start + length }
}
