import { formatAge, formatCount, formatExact } from '../../ui/format.ts'

const inUnit = (unit: string, maximumFractionDigits: number) =>
  new Intl.NumberFormat(undefined, { style: 'unit', unit, maximumFractionDigits })
const milliseconds = inUnit('millisecond', 0)
const seconds = inUnit('second', 1)
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
  if (ms < 1_000) return milliseconds.format(ms)
  return ms < 90_000 ? seconds.format(ms / 1_000) : formatAge(ms)
}

export const formatBytes = (value: number): string => {
  const [step, unit] = byteSteps.find(([least]) => value >= least) ?? [1, bytes]
  return unit.format(value / step)
}

export const formatRate = (aSecond: number): string => rate.format(aSecond)

/** Smallest units of the ledger's coin, in the largest unit that leaves something before the decimal mark. */
export const formatCoin = (wei: string): string => {
  if (wei.length > 15) return `${formatExact(wei, 18, 6)} ETH`
  if (wei.length > 6) return `${formatExact(wei, 9, 3)} gwei`
  return `${formatCount(wei)} wei`
}
