import { countedIn, type OfferMeter } from './offer-meter.ts'
import type { ReadingBucket } from './types.ts'

/** So much faster than what was seen is still believed. */
const HEADROOM = 4
const HOUR_MS = 3_600_000
const THOUSAND = 1_000
const UNSEEN = '1000'

/**
 * A rate above which readings need not be believed, in the unit of the price an hour: four times the fastest that was seen, rounded up to 1, 2
 * or 5 of a power of ten. A proposal for people to look at; nothing is owed by it.
 *
 * @param per register units that one unit of the price is
 */
export function suggestPerHour(
  meter: Omit<OfferMeter, 'perHour'>,
  per: bigint,
  series: { bucketMs: number; buckets: readonly ReadingBucket[] } | undefined,
): { perHour: string; isSeen: boolean } {
  const seen = series ? fastest(meter, series) : 0
  const { numerator, denominator } = countedIn(meter).factor
  // The factor is of what is counted to three places, of which a piece has none.
  const places = meter.measure === 'count' ? 1 : THOUSAND
  const perHour = (seen * places * numerator) / denominator / Number(per)
  if (!(perHour > 0) || !Number.isFinite(perHour)) return { perHour: UNSEEN, isSeen: false }
  return { perHour: roundUp(perHour * HEADROOM), isSeen: true }
}

/** The largest change of an hour in the reading's unit, of a rate what it adds up to, of pieces how many came. */
function fastest(
  { measure }: Pick<OfferMeter, 'measure'>,
  { bucketMs, buckets }: { bucketMs: number; buckets: readonly ReadingBucket[] },
): number {
  switch (measure) {
    case 'counter':
    case 'drawdown':
      return largest(
        buckets.map(({ max, last, timeMs }, index) => {
          const before = buckets[index - 1]
          const change = measure === 'counter' ? last - (before?.last ?? last) : max - last
          return (change * HOUR_MS) / (before ? timeMs - before.timeMs : bucketMs)
        }),
      )
    case 'integral':
      return largest(buckets.map(({ max }) => max)) * (HOUR_MS / THOUSAND)
    case 'count':
      return (largest(buckets.map(({ count }) => count)) * HOUR_MS) / bucketMs
    case 'distance':
    case 'duration-beyond':
      return 0
  }
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => (value > most ? value : most), 0)
}

/** At least 0.001, as a plain decimal. */
function roundUp(value: number): string {
  const power = Math.max(-3, Math.floor(Math.log10(value)))
  const unit = 10 ** power
  const step = [1, 2, 5, 10].find((one) => one * unit >= value) ?? 10
  const digits = BigInt(step) * 10n ** BigInt(power + 3)
  const text = String(digits).padStart(4, '0')
  return `${text.slice(0, -3)}.${text.slice(-3)}`.replace(/\.?0+$/, '')
}
