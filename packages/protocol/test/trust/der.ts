/** Reads an ECDSA signature in strict DER as 64 bytes `r || s`; undefined if it is not that. */
export function parseDerSignature(der: Uint8Array): Uint8Array | undefined {
  const body = readElement(der, 0, 0x30)
  if (!body || body.end !== der.length) return undefined
  const r = readElement(der, body.start, 0x02)
  const s = r && readElement(der, r.end, 0x02)
  if (!r || !s || s.end !== der.length) return undefined
  const numbers = [der.subarray(r.start, r.end), der.subarray(s.start, s.end)].map(toScalar)
  const [first, second] = numbers
  if (!first || !second) return undefined
  const signature = new Uint8Array(64)
  signature.set(first, 32 - first.length)
  signature.set(second, 64 - second.length)
  return signature
}

function readElement(
  der: Uint8Array,
  at: number,
  tag: number,
): { start: number; end: number } | undefined {
  const length = der[at + 1]
  // Signatures of 256-bit curves are shorter than 128 bytes: no long form is ever the shortest.
  if (der[at] !== tag || length === undefined || length > 127) return undefined
  const end = at + 2 + length
  return end <= der.length ? { start: at + 2, end } : undefined
}

function toScalar(integer: Uint8Array): Uint8Array | undefined {
  const [first, second] = integer
  if (first === undefined || first > 127) return undefined
  if (first === 0 && integer.length > 1 && (second ?? 0) < 128) return undefined
  const magnitude = first === 0 ? integer.subarray(1) : integer
  return magnitude.length <= 32 ? magnitude : undefined
}
