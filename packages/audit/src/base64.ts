const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const NONE = 64
const VALUES = new Uint8Array(128).fill(NONE)
for (let value = 0; value < NONE; value += 1) VALUES[ALPHABET.charCodeAt(value)] = value

function valueAt(text: string, place: number): number {
  return VALUES[text.charCodeAt(place)] ?? NONE
}

/**
 * The bytes of what stands in `text` from `from` to `to` in base64 (RFC 4648, section 4), with its padding; undefined if that is not how they are
 * written: spare bits in the last character count, which could be flipped without a trace.
 */
export function readBase64(
  text: string,
  from = 0,
  to = text.length,
): Uint8Array<ArrayBuffer> | undefined {
  if ((to - from) % 4 !== 0) return undefined
  let end = to
  while (end > from && end > to - 2 && text.charCodeAt(end - 1) === 61) end -= 1
  const bytes = new Uint8Array(((end - from) * 3) >> 2)
  let wrong = 0
  let at = 0
  let place = from
  for (; place + 4 <= end; place += 4) {
    const a = valueAt(text, place)
    const b = valueAt(text, place + 1)
    const c = valueAt(text, place + 2)
    const d = valueAt(text, place + 3)
    wrong |= a | b | c | d
    bytes[at] = (a << 2) | (b >> 4)
    bytes[at + 1] = (b << 4) | (c >> 2)
    bytes[at + 2] = (c << 6) | d
    at += 3
  }
  if (place < end) {
    const [a = NONE, b = NONE, c = 0] = [0, 1, 2].map((more) =>
      place + more < end ? valueAt(text, place + more) : undefined,
    )
    wrong |= a | b | c
    bytes[at] = (a << 2) | (b >> 4)
    if (place + 2 < end) bytes[at + 1] = (b << 4) | (c >> 2)
    if (((place + 2 < end ? c << 6 : b << 4) & 255) !== 0) return undefined
  }
  return wrong >= NONE ? undefined : bytes
}
