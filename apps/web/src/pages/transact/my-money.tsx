import type { AgreementSummary, Hex } from '@liquefy/client'
import type { UseQueryResult } from '@tanstack/react-query'
import { Money } from '../../ui/money.tsx'
import { Figure } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'

/** What somebody is owed and what he owes, over all his agreements. */
export const MyMoney = ({
  me,
  agreements,
}: {
  me: Hex
  agreements: UseQueryResult<AgreementSummary[]>
}) => (
  <Loaded query={agreements} what="your money">
    {(list) => {
      const earning = list.filter(({ position }) => position.owner.toLowerCase() === me)
      const paying = list.filter(({ payer }) => payer.toLowerCase() === me)
      return (
        <section className="band" aria-label="Your money">
          <dl>
            {paying.length === 0 || earning.length > 0 ? (
              <>
                <Figure
                  name="Owed to you"
                  note="From signed readings, to be settled within moments"
                >
                  <Money minor={sumOf(earning, unsettledOf)} large />
                </Figure>
                <Figure name="Yours to withdraw" note="Paid on the ledger, not yet credited">
                  <Money minor={sumOf(earning, ({ position }) => position.accruedMinor)} large />
                </Figure>
              </>
            ) : null}
            {paying.length > 0 ? (
              <>
                <Figure name="You owe" note="From signed readings, to be settled within moments">
                  <Money minor={sumOf(paying, unsettledOf)} large />
                </Figure>
                <Figure name="Left in escrow" note="Set aside by you, over all your agreements">
                  <Money minor={sumOf(paying, ({ escrowMinor }) => escrowMinor)} large />
                </Figure>
              </>
            ) : null}
          </dl>
        </section>
      )
    }}
  </Loaded>
)

const unsettledOf = ({ owedMinor, includedMinor }: AgreementSummary): string => {
  const rest = BigInt(owedMinor) - BigInt(includedMinor)
  return String(rest > 0n ? rest : 0n)
}

const sumOf = (list: AgreementSummary[], pick: (one: AgreementSummary) => string): string =>
  String(list.reduce((sum, one) => sum + BigInt(pick(one)), 0n))
