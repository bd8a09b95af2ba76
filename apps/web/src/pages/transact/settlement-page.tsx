import type { Hex } from '@liquefy/client'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useAgreement } from '../../queries.ts'
import { shorten } from '../../ui/format.ts'
import { Card } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import { SettlementEvidence } from './settlement-evidence.tsx'

const route = getRouteApi('/agreements/$agreementId/settlements/$place')

/** One settlement at an address of its own, to be shared. */
export const SettlementPage = () => {
  const { agreementId: id, place } = route.useParams()
  const agreementId = id as Hex
  const agreement = useAgreement(agreementId)
  return (
    <Loaded query={agreement} what="this agreement">
      {(loaded) => (
        <>
          <section className="head">
            <p className="crumb">
              <Link to="/">Overview</Link> /{' '}
              <Link to="/agreements/$agreementId" params={{ agreementId }}>
                {loaded.machineName}, agreement {shorten(agreementId)}
              </Link>{' '}
              / settlement
            </p>
            <h1>From the money to the sensor</h1>
            <p className="lead">What one settlement rests on, step by step.</p>
          </section>
          <Card>
            <SettlementEvidence agreement={loaded} place={place} />
          </Card>
        </>
      )}
    </Loaded>
  )
}
