import { Link } from '@tanstack/react-router'
import { useEnvelopes } from '../../queries.ts'
import { countOf, formatCount } from '../../ui/format.ts'
import { At, Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { verdictWords } from './verdict-words.ts'

/** A machine's newest envelopes, each a way to its proof. */
export const Envelopes = ({ machineId }: { machineId: string }) => {
  const envelopes = useEnvelopes(machineId)
  return (
    <Card title="Evidence">
      <Loaded query={envelopes} what="the envelopes">
        {(list) =>
          list.length === 0 ? (
            <Empty title="None yet">The first signed envelope shows here when it is logged.</Empty>
          ) : (
            <ul className="rows">
              {list.map(({ logIndex, stream, seq, readings, code, loggedAtMs }) => (
                <li key={logIndex}>
                  <Link to="/evidence/$logIndex" params={{ logIndex }} className="row">
                    <span>
                      <strong>
                        {stream} {formatCount(seq)}
                      </strong>
                      <span className="note">
                        {countOf(readings, 'reading')}, {verdictWords(code)}
                      </span>
                    </span>
                    <At timeMs={loggedAtMs} />
                  </Link>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}
