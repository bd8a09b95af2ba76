import { type Hex, numberToHex } from 'viem'

/** A field of a struct within its word, as `STORAGE_LAYOUT` names it. */
export function fieldOf(
  word: bigint,
  { offset, bytes }: { offset: number; bytes: number },
): bigint {
  return (word >> BigInt(8 * offset)) & ((1n << BigInt(8 * bytes)) - 1n)
}

/** The slot so many behind another one. */
export function slotAfter(slot: Hex, count: number): Hex {
  return numberToHex((BigInt(slot) + BigInt(count)) % 2n ** 256n, { size: 32 })
}
