import { Figure } from '../../ui/parts.tsx'
import type { Drawn } from '../../ui/series-tiles.ts'
import { lengthWords, momentWords, valueWords } from '../../ui/time-words.ts'

/** A chart in four figures, for who does not look at it and for who wants the number. */
export const SeriesSummary = ({ drawn, unit }: { drawn: readonly Drawn[]; unit: string }) => {
  const newest = drawn.at(-1)
  if (newest === undefined) return null
  const count = drawn.reduce((sum, bucket) => sum + bucket.count, 0)
  const sum = drawn.reduce((total, bucket) => total + bucket.mean * bucket.count, 0)
  const words = (value: number) => `${valueWords(value)} ${unit}`
  return (
    <dl className="figures chart-figures" data-testid="series-summary">
      <Figure name="Lowest">
        {words(drawn.reduce((least, { min }) => Math.min(least, min), newest.min))}
      </Figure>
      <Figure name="Highest">
        {words(drawn.reduce((most, { max }) => Math.max(most, max), newest.max))}
      </Figure>
      <Figure name="Mean" note={`of ${valueWords(count)} readings`}>
        {words(sum / count)}
      </Figure>
      <Figure name="Newest shown" note={whenOf(newest)}>
        {words(newest.last)}
      </Figure>
    </dl>
  )
}

const whenOf = ({ timeMs, bucketMs, count }: Drawn): string =>
  count === 1 ? momentWords(timeMs) : `in ${lengthWords(bucketMs)} from ${momentWords(timeMs)}`
