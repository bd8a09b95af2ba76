const UNSIGNED = /^(?:0|[1-9][0-9]{0,77})$/
const UINT256_LIMIT = 2n ** 256n

/** The integer that a JSON decimal string stands for, or undefined if it is not one: uint256, no sign, exponent or leading zero. */
export function parseUnsigned(text: unknown): bigint | undefined {
  if (typeof text !== 'string' || !UNSIGNED.test(text)) return undefined
  const value = BigInt(text)
  return value < UINT256_LIMIT ? value : undefined
}
