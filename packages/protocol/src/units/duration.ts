import { formatDecimal } from './decimal.ts'

const LENGTHS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const

/** "30 days", "1 hour": whole seconds in the largest unit that they are a whole number of. */
export function durationWords(seconds: number): string {
  const [unit, length] = LENGTHS.find(([, each]) => seconds % each === 0) ?? ['second', 1]
  const count = seconds / length
  return `${formatDecimal(BigInt(count), 0, { grouping: true })} ${unit}${count === 1 ? '' : 's'}`
}
