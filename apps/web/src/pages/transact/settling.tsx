import type { Agreement, PeriodView } from '@liquefy/client'
import { larger, SIGNER_KIND } from '@liquefy/protocol'
import { Money } from '../../ui/money.tsx'
import { At, Card } from '../../ui/parts.tsx'
import './agreement.css'
import { registersInWords } from './registers.tsx'

/** What is on its way from the sensor to final money, step by step; nothing before there is anything. */
export const Settling = ({ agreement }: { agreement: Agreement }) => {
  const period = periodOnItsWay(agreement.periods)
  if (!period) return null
  const steps = stepsOf(agreement, period)
  return (
    <Card title="Watch it settle">
      <ol className="settling">
        <li className="all">
          <span className="settling-name">
            {period.registers.length === 0 ? 'Time passed' : 'Measured'}
          </span>
          {period.registers.length === 0 ? null : registersInWords(agreement, period.registers)}
          <span className="note">
            until <At timeMs={Number(period.asOf) * 1000} />
          </span>
        </li>
        {steps.map(({ name, minor, waits }, index) => {
          const before = steps[index - 1]?.minor ?? minor
          const missing = minor - (steps[index + 1]?.minor ?? minor)
          return (
            <li key={name} className={minor < before ? 'part' : 'all'}>
              <span className="settling-name">{name}</span>
              <Money minor={String(minor)} />
              <span className="note">
                {missing > 0n ? (
                  <>
                    <Money minor={String(missing)} /> {waits}
                  </>
                ) : null}
              </span>
            </li>
          )
        })}
      </ol>
    </Card>
  )
}

/** The oldest of the two newest periods in which something is on its way, else the newest. */
const periodOnItsWay = (periods: PeriodView[]): PeriodView | undefined =>
  periods.slice(-2).find((period) => BigInt(period.costMinor) > BigInt(period.finalMinor)) ??
  periods.at(-1)

/** How much has come to each step, and what it waits for there. */
const stepsOf = (
  { terms, metersSignedBy }: Agreement,
  period: PeriodView,
): { name: string; minor: bigint; waits: string }[] => {
  const included = BigInt(period.includedMinor)
  const reached = (minor: string) => larger(BigInt(minor), included)
  const isSigned = (terms as { signerKind?: number }).signerKind !== SIGNER_KIND.nobody
  return [
    {
      name: 'Owed',
      minor: BigInt(period.costMinor),
      waits: isSigned ? `waits for the signature of ${metersSignedBy}` : 'waits to be sent',
    },
    ...(isSigned
      ? [{ name: 'Signed', minor: reached(period.signedMinor), waits: 'waits to be sent' }]
      : []),
    { name: 'Sent', minor: reached(period.sentMinor), waits: 'is on its way to the ledger' },
    { name: 'Included', minor: included, waits: 'waits to be final' },
    { name: 'Final', minor: BigInt(period.finalMinor), waits: '' },
  ]
}
