import { parseDecimal } from '@liquefy/protocol'
import { failureWords } from '../failures/failure-words.ts'

/** Exact, in smallest units, or what is wrong with it. */
export const amountIn = (text: string, decimals: number): bigint | string => {
  const amount = anyAmountIn(text, decimals)
  return amount === 0n ? 'It must be more than nothing.' : amount
}

/** The same, and nothing at all is an amount too. */
export const anyAmountIn = (text: string, decimals: number): bigint | string => {
  try {
    const amount = parseDecimal(text.trim(), decimals)
    return amount < 0n ? 'It must be more than nothing.' : amount
  } catch (error) {
    return failureWords(error)
  }
}
