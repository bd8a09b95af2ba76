import type { Agreement, Hex } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useAgreement } from '../../queries.ts'
import { formatQuantity, shorten } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Loaded } from '../../ui/states.tsx'

/** The newest period's registers of one agreement, and what they cost. */
export const AgreementRegisters = ({ agreementId }: { agreementId: Hex }) => {
  const agreement = useAgreement(agreementId)
  return (
    <Loaded query={agreement} what="the registers">
      {(loaded) => {
        const period = loaded.periods.at(-1)
        return (
          <Link to="/agreements/$agreementId" params={{ agreementId }} className="row">
            <span>
              <strong>
                {period ? registersInWords(loaded, period.registers) : 'nothing metered yet'}
              </strong>
              <span className="note">agreement {shorten(agreementId)}</span>
            </span>
            <Money minor={period?.owedMinor ?? '0'} />
          </Link>
        )
      }}
    </Loaded>
  )
}

export const registersInWords = (agreement: Agreement, registers: string[]): string =>
  registers.length === 0
    ? 'by time alone'
    : registers
        .map((value, index) => formatQuantity(value, agreement.registerUnits[index] ?? ''))
        .join(', ')
