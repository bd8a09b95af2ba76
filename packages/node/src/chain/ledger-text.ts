import type { Hex } from 'viem'

/** An address as the tables have it. */
export const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex

/** Text as the tables keep it: PostgreSQL has no zero character, but anybody may put one into a name on the ledger. */
export const plain = (text: string): string => text.replaceAll('\0', '\uFFFD')
