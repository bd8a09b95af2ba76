import type { Vault, VaultProposalSummary } from '@liquefy/client'
import { Gauge } from './gauge.tsx'

/** Votes among all shares, with a mark where enough have taken part. Against does not count for that, so it comes last. */
export const VoteGauge = ({
  vault,
  proposal,
}: {
  vault: Vault
  proposal: VaultProposalSummary
}) => (
  <Gauge
    whole={BigInt(vault.supply)}
    parts={[
      { name: 'For', className: 'part-for', amount: BigInt(proposal.for) },
      { name: 'Abstain', className: 'part-abstain', amount: BigInt(proposal.abstain) },
      { name: 'Against', className: 'part-against', amount: BigInt(proposal.against) },
    ]}
    mark={{ at: BigInt(proposal.quorum), words: 'enough take part' }}
  />
)
