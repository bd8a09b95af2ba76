import type { EnvelopeSummary, Machine, Refusal } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useRefusals, useUnpriced } from '../../queries.ts'
import { countOf, formatCount } from '../../ui/format.ts'
import { At, Card } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import { verdictWords } from '../trust/verdict-words.ts'

const shownOfEach = 12

/** What a machine sent and nobody pays, each with its reason: refused at the door, or logged and not priced. */
export const Unpaid = ({ machine }: { machine: Machine }) => {
  const { machineId } = machine
  const refusals = useRefusals(machineId)
  const unpriced = useUnpriced(machineId)
  const unmetered = machine.streams.filter(({ metered }) => !metered)
  return (
    <Card title="Refused and unpriced">
      <Group title="Refused: not logged">
        <Loaded query={refusals} what="the refused readings">
          {(list) =>
            list.length === 0 ? (
              <p className="note">None: everything this machine sent was authentic.</p>
            ) : (
              <ul className="rows">
                {list.slice(0, shownOfEach).map((refusal) => (
                  <RefusalRow
                    key={`${refusal.atMs}-${refusal.code}-${refusal.message}`}
                    refusal={refusal}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Group>
      <Group title="Unpriced: logged, and nobody pays">
        <Loaded query={unpriced} what="the unpriced readings">
          {(list) =>
            list.length === 0 ? (
              <p className="note">None of the readings that an agreement meters.</p>
            ) : (
              <ul className="rows">
                {list.slice(0, shownOfEach).map((envelope) => (
                  <UnpricedRow key={envelope.logIndex} envelope={envelope} />
                ))}
              </ul>
            )
          }
        </Loaded>
        {unmetered.map(({ stream, envelopes }) => (
          <p key={stream} className="note">
            {stream}, {formatCount(envelopes)} {envelopes === 1 ? 'envelope' : 'envelopes'}:{' '}
            {lowerFirst(verdictWords('UNBILLED'))}.
          </p>
        ))}
      </Group>
    </Card>
  )
}

const Group = ({ title, children }: { title: string; children: ReactNode }) => (
  <section className="unpaid-group">
    <h3>{title}</h3>
    {children}
  </section>
)

const RefusalRow = ({ refusal }: { refusal: Refusal }) => (
  <li className="row">
    <span>
      <strong>{verdictWords(refusal.code)}</strong>
      <span className="note">
        <code>{refusal.code}</code> {refusal.message}
      </span>
    </span>
    <At timeMs={refusal.atMs} />
  </li>
)

const UnpricedRow = ({
  envelope: { logIndex, stream, seq, readings, code, loggedAtMs },
}: {
  envelope: EnvelopeSummary
}) => (
  <li>
    <Link to="/evidence/$logIndex" params={{ logIndex }} className="row">
      <span>
        <strong>{verdictWords(code)}</strong>
        <span className="note">
          {stream} number {formatCount(seq)}, {countOf(readings, 'reading')} <code>{code}</code>
        </span>
      </span>
      <At timeMs={loggedAtMs} />
    </Link>
  </li>
)

const lowerFirst = (words: string): string => words.charAt(0).toLowerCase() + words.slice(1)
