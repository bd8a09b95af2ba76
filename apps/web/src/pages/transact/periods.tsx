import type { Agreement, PeriodView } from '@liquefy/client'
import { ppmText } from '@liquefy/protocol'
import { usePeriodsBefore } from '../../queries.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card } from '../../ui/parts.tsx'
import { Empty } from '../../ui/states.tsx'
import { Pager } from './pager.tsx'
import { registersInWords } from './registers.tsx'
import { usePages } from './use-pages.ts'

const shownPeriods = 12

/** What each period owed and was paid, the newest first, page by page. */
export const Periods = ({ agreement }: { agreement: Agreement }) => {
  const { before, onNewer, earlierThan } = usePages<number>()
  // One more than is shown tells whether there is a page behind.
  const earlier = usePeriodsBefore(agreement.agreementId, before, shownPeriods + 1)
  const known = before === undefined ? agreement.periods.toReversed() : (earlier.data ?? [])
  const periods = known.slice(0, shownPeriods)
  const last = periods.at(-1)
  return (
    <Card title="Periods">
      {agreement.periods.length === 0 ? (
        <Empty title="Nothing metered yet">
          The first period appears with the first priced reading, or when it begins to cost.
        </Empty>
      ) : (
        <div className="table">
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">Registers</th>
                <th scope="col" className="number">
                  Owed
                </th>
                <th scope="col" className="number">
                  Paid
                </th>
              </tr>
            </thead>
            <tbody>
              {periods.map((period) => (
                <tr key={period.period}>
                  <td>
                    <At timeMs={period.startMs} />
                  </td>
                  <td>{registersInWords(agreement, period.registers)}</td>
                  <td className="number">
                    <Money minor={period.owedMinor} />
                    <Besides minor={period.adjustedMinor} sign="+" what="for late evidence" />
                    <BandOfPeriod band={period.band} />
                  </td>
                  <td className="number">
                    <Money minor={period.includedMinor} />
                    <Besides minor={period.arrearsMinor} sign="" what="in arrears" />
                    <Besides minor={period.refundedMinor} sign="−" what="refunded" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Pager
        what="periods"
        onNewer={onNewer}
        onEarlier={last && known.length > shownPeriods ? earlierThan(last.period) : undefined}
      />
    </Card>
  )
}

/** Between what and what the amount lies, by the calibration of the meters; nothing where none must be calibrated. */
const BandOfPeriod = ({ band }: Pick<PeriodView, 'band'>) =>
  band === null ? null : (
    <span className="note">
      <Money minor={band.lowerMinor} /> to <Money minor={band.upperMinor} />, within{' '}
      {ppmText(band.uncertaintyPpm)}
    </span>
  )

/** An amount beside another one; nothing where it is zero. */
const Besides = ({ minor, sign, what }: { minor: string; sign: string; what: string }) =>
  minor === '0' ? null : (
    <span className="note">
      {sign}
      <Money minor={minor} /> {what}
    </span>
  )
