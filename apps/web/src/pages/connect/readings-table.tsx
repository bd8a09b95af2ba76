import { memo, useState } from 'react'
import { formatCount } from '../../ui/format.ts'
import type { Drawn } from '../../ui/series-tiles.ts'
import { lengthWords, momentWords, valueWords } from '../../ui/time-words.ts'

/** What a chart draws, as a table, newest first; made only once it is opened. */
export const ReadingsTable = memo(({ drawn, unit }: { drawn: readonly Drawn[]; unit: string }) => {
  const [isOpen, open] = useState(false)
  return (
    <details onToggle={({ currentTarget }) => open(currentTarget.open)}>
      <summary>Show as a table</summary>
      {isOpen ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <section className="chart-table" aria-label="Readings as a table" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">For</th>
                <th scope="col" className="number">
                  Readings
                </th>
                <th scope="col" className="number">
                  Lowest {unit}
                </th>
                <th scope="col" className="number">
                  Highest {unit}
                </th>
                <th scope="col" className="number">
                  Mean {unit}
                </th>
              </tr>
            </thead>
            <tbody>
              {drawn.toReversed().map(({ timeMs, bucketMs, count, min, max, mean }) => (
                <tr key={timeMs}>
                  <td>
                    <time dateTime={new Date(timeMs).toISOString()}>{momentWords(timeMs)}</time>
                  </td>
                  <td>{lengthWords(bucketMs)}</td>
                  <td className="number">{formatCount(count)}</td>
                  <td className="number">{valueWords(min)}</td>
                  <td className="number">{valueWords(max)}</td>
                  <td className="number">{valueWords(mean)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : null}
    </details>
  )
})
