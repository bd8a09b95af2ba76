import { base64url, fromBase64url } from './base64url.ts'

/** W3C Bitstring Status List 1.0: at least 16 KiB, so that one entry hides among many. */
export const MIN_BITS = 131_072
/** Ours, so that a small document cannot grow without end. */
export const MAX_BITS = 1_048_576

const MULTIBASE = 'u'

/** `encodedList`: multibase base64url of the gzipped bits, the first one the leftmost of the first byte. */
export async function encodeBits(bits: Uint8Array<ArrayBuffer>): Promise<string> {
  const zipped = new Blob([bits]).stream().pipeThrough(new CompressionStream('gzip'))
  return MULTIBASE + base64url(new Uint8Array(await new Response(zipped).arrayBuffer()))
}

/** The bits of an `encodedList`; undefined if it is none, or has fewer or more than a list may have. */
export async function decodeBits(encoded: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (!encoded.startsWith(MULTIBASE)) return undefined
  const zipped = fromBase64url(encoded.slice(MULTIBASE.length))
  if (!zipped) return undefined
  const bits = await unzip(zipped, MAX_BITS / 8)
  return bits && bits.length * 8 >= MIN_BITS ? bits : undefined
}

export function bitAt(bits: Uint8Array, index: number): boolean {
  return ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
}

/** The same bits with one of them set. */
export function withBit(bits: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
  const changed = bits.slice()
  changed[index >> 3] = (changed[index >> 3] ?? 0) | (0x80 >> (index & 7))
  return changed
}

/** Stops at the first byte too many: what is sent may be made to unfold without end. */
async function unzip(
  zipped: Uint8Array<ArrayBuffer>,
  mostBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const whole = new Uint8Array(mostBytes)
  let length = 0
  try {
    const stream = new Blob([zipped]).stream().pipeThrough(new DecompressionStream('gzip'))
    for await (const part of stream) {
      if (length + part.length > mostBytes) return undefined
      whole.set(part, length)
      length += part.length
    }
  } catch {
    return undefined
  }
  return whole.slice(0, length)
}
