import type { Operation } from '@liquefy/client'
import { formatCount } from '../../ui/format.ts'
import { Ago, At, Card } from '../../ui/parts.tsx'
import { verdictWords } from '../trust/verdict-words.ts'

/** What was turned away, in words, most often first. */
export const RefusalsByCode = ({ refusals }: { refusals: NonNullable<Operation['refusals']> }) => (
  <Card
    title="Turned away"
    aside={
      <span className="note">
        since <At timeMs={refusals.sinceMs} />
      </span>
    }
  >
    {refusals.codes.length === 0 ? (
      <p className="note">Nothing: all that arrived was logged.</p>
    ) : (
      <ul className="rows">
        {refusals.codes.map(({ code, count, lastMs }) => (
          <li key={code} className="row">
            <span>
              <strong>{verdictWords(code)}</strong>
              <span className="note">
                {code}
                {lastMs === null ? null : (
                  <>
                    , last <Ago timeMs={lastMs} />
                  </>
                )}
              </span>
            </span>
            <span>{formatCount(count)}</span>
          </li>
        ))}
      </ul>
    )}
  </Card>
)
