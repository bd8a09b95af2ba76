import type {
  Agreement,
  CoveredStream,
  SettlementEvidence as Evidence,
  SettlementView,
} from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useDeployment, useSettlement } from '../../queries.ts'
import { countOf, formatCount, formatExact, formatTimeWithZone } from '../../ui/format.ts'
import { At, Hash } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import './agreement.css'
import { registersInWords } from './registers.tsx'

/** What one settlement rests on, from the money back to the sensor. */
export const SettlementEvidence = ({
  agreement,
  place,
  children,
}: {
  agreement: Agreement
  place: string
  /** More ways to go on from here. */
  children?: ReactNode
}) => {
  const settlement = useSettlement(agreement.agreementId, place)
  return (
    <Loaded query={settlement} what="what this settlement rests on">
      {(loaded) => (
        <div className="trail" data-testid="settlement-evidence">
          <dl>
            <Paid evidence={loaded} />
            {loaded.value ? (
              <SignedValue agreement={agreement} evidence={loaded} value={loaded.value} />
            ) : (
              <Step name="Why">{reasons[loaded.kind]}</Step>
            )}
            <Covered evidence={loaded} />
            <Anchor evidence={loaded} />
          </dl>
          <p className="trail-links">
            <Link
              to="/agreements/$agreementId"
              params={{ agreementId: agreement.agreementId }}
              hash="check"
            >
              Check this bill
            </Link>
            {children}
          </p>
        </div>
      )}
    </Loaded>
  )
}

const Step = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const reasons: Record<SettlementView['kind'], string> = {
  settled: '',
  collected:
    'A signed value had proven it before, when escrow was too little; it was paid after a top-up.',
  adjusted: 'Readings came late, after the period was final: they were owed once more, upward.',
  refunded: 'The payee gave it back.',
}

const Paid = ({ evidence }: { evidence: Evidence }) => {
  const { kind, paidMinor, block, blockHash, txHash, final, atMs } = evidence
  return (
    <Step name={kind === 'refunded' ? 'Given back' : 'Paid'}>
      <Exact minor={paidMinor} />, {final ? 'final: cannot be undone' : 'included, not final yet'}
      <span className="note">
        {formatTimeWithZone(atMs)}, block {formatCount(block)} <Hash hex={blockHash} />, transaction{' '}
        <Hash hex={txHash} />
      </span>
    </Step>
  )
}

const SignedValue = ({
  agreement,
  evidence,
  value,
}: {
  agreement: Agreement
  evidence: Evidence
  value: NonNullable<Evidence['value']>
}) => {
  const { registers, asOf, periodStartMs, periodEndMs } = evidence
  const grown = registers.map((register, index) =>
    String(BigInt(register) - BigInt(value.registersBefore[index] ?? '0')),
  )
  return (
    <>
      <Step name="Price">
        {value.amountInWords ?? 'By a tariff contract that this node does not know.'}
        {value.owedBeforeMinor === '0' ? null : (
          <span className="note">
            of which <Exact minor={value.owedBeforeMinor} /> had been proven before
          </span>
        )}
      </Step>
      <Step name="Measured">
        {registers.length === 0 ? (
          'Nothing: it is owed by the time that has passed.'
        ) : (
          <>
            {registersInWords(agreement, value.registersBefore)} →{' '}
            {registersInWords(agreement, registers)}
            <span className="note">+ {registersInWords(agreement, grown)}</span>
          </>
        )}
        <span className="note">
          until {formatTimeWithZone(Number(asOf) * 1000)}, in the period from{' '}
          <At timeMs={periodStartMs} /> to <At timeMs={periodEndMs} />
        </span>
      </Step>
      <Step name="Signed by">
        {value.signedBy}
        {value.key ? (
          <span className="note">
            with key {formatCount(value.key.epoch)} of machine {value.key.machineId}{' '}
            <Hash hex={value.key.keyId} />, which the ledger verified; evidence head{' '}
            <Hash hex={value.evidenceHead} />
          </span>
        ) : null}
      </Step>
    </>
  )
}

const Covered = ({ evidence: { covers, value, kind } }: { evidence: Evidence }) => {
  if (covers === null) {
    return (
      <Step name="Readings">
        Somebody else brought this value to the ledger, and this node did not keep which readings it
        covers. The check of the whole bill finds them.
      </Step>
    )
  }
  if (covers.length === 0 || (!value && kind !== 'adjusted')) return null
  return (
    <Step name="Readings">
      <ul className="covered">
        {covers.map((covered) => (
          <li key={covered.stream}>
            <Stream covered={covered} />
          </li>
        ))}
      </ul>
    </Step>
  )
}

const Stream = ({ covered }: { covered: CoveredStream }) => {
  const { stream, seq, firstSeq, envelopes, readings, first, last } = covered
  if (firstSeq === null || first === null || last === null) {
    return (
      <>
        {stream} up to {last === null ? formatCount(seq) : <Envelope logIndex={last} seq={seq} />}
      </>
    )
  }
  return (
    <>
      {stream} <Envelope logIndex={first} seq={firstSeq} />
      {first === last ? null : (
        <>
          {' '}
          to <Envelope logIndex={last} seq={seq} />
        </>
      )}
      <span className="note">
        {countOf(envelopes, 'signed envelope')} with {countOf(readings, 'reading')}, new in this
        settlement
      </span>
    </>
  )
}

const Envelope = ({ logIndex, seq }: { logIndex: string; seq: string }) => (
  <Link to="/evidence/$logIndex" params={{ logIndex }}>
    number {formatCount(seq)}
  </Link>
)

const Anchor = ({ evidence: { anchor, covers } }: { evidence: Evidence }) => {
  if (covers === null || covers.length === 0) return null
  return (
    <Step name="Anchored">
      {anchor ? (
        <>
          with the log's first {formatCount(anchor.size)} envelopes,{' '}
          {anchor.final ? 'final' : 'not final yet'}
          <span className="note">
            {formatTimeWithZone(anchor.atMs)}, block {formatCount(anchor.block)}, transaction{' '}
            <Hash hex={anchor.txHash} />
          </span>
        </>
      ) : (
        'Not yet: the next anchor of the log covers it.'
      )}
    </Step>
  )
}

/** An amount with all its decimals: what is multiplied beside it must come out. */
const Exact = ({ minor }: { minor: string }) => {
  const asset = useDeployment().data?.asset
  const decimals = asset?.decimals ?? 6
  const zeros = /0*$/.exec(minor.padStart(decimals, '0'))?.[0].length ?? 0
  const places = Math.max(2, decimals - zeros)
  return (
    <>
      {formatExact(minor, decimals, places)} {asset?.symbol}
    </>
  )
}
