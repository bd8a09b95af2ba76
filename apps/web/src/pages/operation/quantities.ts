import { formatAge, formatCount, formatExact } from '../../ui/format.ts'

const inUnit = (unit: string, maximumFractionDigits: number) =>
  new Intl.NumberFormat(undefined, { style: 'unit', unit, maximumFractionDigits })
const seconds = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 })
const byteSteps = [
  [1e12, inUnit('terabyte', 1)],
  [1e9, inUnit('gigabyte', 1)],
  [1e6, inUnit('megabyte', 0)],
  [1e3, inUnit('kilobyte', 0)],
] as const
const bytes = inUnit('byte', 0)
const rate = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 })

/** "12 ms", "1.4 s", "3 min". */
export const formatLag = (ms: number): string => {
  if (ms < 1_000) return `${formatCount(ms)} ms`
  return ms < 90_000 ? `${seconds.format(ms / 1_000)} s` : formatAge(ms)
}

export const formatBytes = (value: number): string => {
  const [step, unit] = byteSteps.find(([least]) => value >= least) ?? [1, bytes]
  return unit.format(value / step)
}

export const formatRate = (aSecond: number): string => rate.format(aSecond)

/** Smallest units of the ledger's coin, in a unit that a person can read. */
export const formatCoin = (wei: string): string => {
  if (wei.length > 21) return `${formatExact(wei, 18, 0)} ETH`
  if (wei.length > 15) return `${formatExact(wei, 18, 4)} ETH`
  if (wei.length > 9) return `${formatExact(wei, 9, 0)} gwei`
  return `${formatCount(wei)} wei`
}
