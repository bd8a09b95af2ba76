import type { EnvelopeProof } from '@liquefy/client'
import { formatDecimal, type Reading } from '@liquefy/protocol'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useEnvelope, useMachine } from '../../queries.ts'
import { formatCount, unitWords } from '../../ui/format.ts'
import { At, Card, Figure } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import './evidence.css'
import { PaidBy } from './paid-by.tsx'
import { checkProof } from './proof-steps.ts'
import { ProofTree } from './proof-tree.tsx'
import { verdictWords } from './verdict-words.ts'

const route = getRouteApi('/evidence/$logIndex')

/** One signed envelope: what it says, who signed it, and the path that proves its place in the log. */
export const EvidencePage = () => {
  const { logIndex } = route.useParams()
  const envelope = useEnvelope(logIndex)
  return (
    <Loaded query={envelope} what="this envelope">
      {(loaded) => <Evidence proof={loaded} />}
    </Loaded>
  )
}

const shownReadings = 60

const Evidence = ({ proof }: { proof: EnvelopeProof }) => {
  const machine = useMachine(proof.machineId)
  const key = machine.data?.key
  const { envelope, levels, root, checks } = useMemo(() => checkProof(proof, key), [proof, key])
  const readings = envelope?.content.kind === 'readings' ? envelope.content.readings : []
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/">Overview</Link> /{' '}
          <Link to="/machines/$machineId" params={{ machineId: proof.machineId }}>
            {machine.data?.name ?? `machine ${proof.machineId}`}
          </Link>{' '}
          / evidence
        </p>
        <h1>
          {proof.stream}, number {formatCount(proof.seq)}
        </h1>
        <dl className="figures">
          <Figure name="Logged">
            <At timeMs={proof.loggedAtMs} />
          </Figure>
          <Figure name="Place in the log">{formatCount(proof.logIndex)}</Figure>
          <Figure name="Verdict" note={<code>{proof.code}</code>}>
            {verdictWords(proof.code)}
          </Figure>
        </dl>
      </section>
      <div className="columns">
        <Card title="Checked in this browser">
          <ul className="rows" data-testid="checks">
            {checks.map(({ name, words, holds }) => (
              <li key={name} className="row">
                <span>
                  <strong>{name}</strong>
                  <span className="note">{words}</span>
                </span>
                <span
                  className={holds === false ? 'badge badge-decommissioned' : 'badge badge-active'}
                >
                  {holds === undefined ? 'not checked here' : holds ? 'holds' : 'does not hold'}
                </span>
              </li>
            ))}
          </ul>
          <p className="note">
            Whether the root stands on the ledger, and which key was the machine's at that time, the
            check of a whole bill looks up there.
          </p>
          <p className="note">
            To keep, and to check with tools that are not ours:{' '}
            <a
              href={`/v1/envelopes/${proof.logIndex}/receipt`}
              download={`${proof.logIndex}.receipt`}
            >
              receipt
            </a>{' '}
            (RFC 9942),{' '}
            <a
              href={`/v1/envelopes/${proof.logIndex}/statement`}
              download={`${proof.logIndex}.statement`}
            >
              envelope with receipt
            </a>{' '}
            (RFC 9943).
          </p>
        </Card>
        <Card title="What it says">
          {readings.length === 0 ? (
            <Empty title="No readings">It declares something, and measures nothing.</Empty>
          ) : (
            <div className="table">
              <table>
                <thead>
                  <tr>
                    <th scope="col">When</th>
                    <th scope="col">What</th>
                    <th scope="col" className="number">
                      Value
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {readings.slice(0, shownReadings).map((reading) => (
                    <tr key={`${reading.name} ${reading.timeMs}`}>
                      <td>
                        <At timeMs={reading.timeMs} />
                      </td>
                      <td>{reading.name}</td>
                      <td className="number">
                        {textOf(reading)}{' '}
                        <span className="unit">{unitWords(reading.unit ?? '')}</span>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
          {readings.length > shownReadings ? (
            <p className="note">{formatCount(readings.length - shownReadings)} more</p>
          ) : null}
        </Card>
      </div>
      <PaidBy logIndex={proof.logIndex} />
      <Card title="Its place in the log">
        <ProofTree levels={levels} root={root} />
      </Card>
    </>
  )
}

/** Exact, as it was signed. */
const textOf = ({ value }: Reading): string => {
  switch (value.kind) {
    case 'decimal':
      return value.exponent > 0
        ? `${value.mantissa}e${value.exponent}`
        : formatDecimal(value.mantissa, -value.exponent, { grouping: true })
    case 'none':
      return 'nothing'
    default:
      return String(value.value)
  }
}
