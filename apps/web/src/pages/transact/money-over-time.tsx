import type { Agreement } from '@liquefy/client'
import { Suspense, useState } from 'react'
import { lazyPart } from '../../failures/lazy-part.ts'
import { useMoneyHistory } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { Card } from '../../ui/parts.tsx'
import { Empty, Loaded, Loading } from '../../ui/states.tsx'

const MoneyChart = lazyPart(async () => (await import('./money-chart.tsx')).MoneyChart)

const spans = [
  { words: 'Since it began', value: 'life' },
  { words: 'This period', value: 'period' },
] as const

/** Owed, included and final money as it grew. */
export const MoneyOverTime = ({ agreement }: { agreement: Agreement }) => {
  const [span, setSpan] = useState<(typeof spans)[number]['value']>('life')
  const fromMs = span === 'period' ? agreement.periods.at(-1)?.startMs : undefined
  const history = useMoneyHistory(agreement.agreementId, fromMs)
  return (
    <Card
      title="Money over time"
      aside={
        agreement.periodCount > 1 ? (
          <Choice label="Time shown" options={[...spans]} value={span} onChoose={setSpan} />
        ) : null
      }
    >
      <Loaded query={history} what="the money over time">
        {(loaded) =>
          loaded.owed.every(({ minor }) => minor === '0') ? (
            <Empty title="Nothing owed yet">
              The line rises with the first priced reading, or when it begins to cost.
            </Empty>
          ) : (
            <Suspense fallback={<Loading what="the chart" />}>
              <MoneyChart history={loaded} />
            </Suspense>
          )
        }
      </Loaded>
    </Card>
  )
}
