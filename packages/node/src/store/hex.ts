/** `0x…` of stored bytes. */
export function hexOf(bytes: Buffer): `0x${string}` {
  return `0x${bytes.toString('hex')}`
}

/** Stored bytes of `0x…`. */
export function bytesOf(hex: `0x${string}`): Buffer {
  return Buffer.from(hex.slice(2), 'hex')
}
