import { type Deployment, type Vault, type VaultProposal, votedSales } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { Act } from './act.tsx'
import { useSalesOf } from './vault-trades.ts'

/** What a proposal that was executed has put up for sale, and whether buyers find it. */
export const VotedSale = ({
  vault,
  proposal,
  deployment,
}: {
  vault: Vault
  proposal: VaultProposal
  deployment: Deployment
}) => {
  const sales = votedSales(deployment, proposal)
  const listed = useSalesOf(vault, sales.length > 0)
  if (sales.length === 0 || listed === undefined) return null
  const isListed = sales.every(({ offer, endTime }) =>
    listed.some(
      ({ tokenId, order }) =>
        tokenId === offer[0]?.identifierOrCriteria && order.endTime === endTime,
    ),
  )
  return isListed ? (
    <p>
      What it sells is in the list of the <Link to="/market">market</Link>.
    </p>
  ) : (
    <Act
      words="The sale stands on the ledger. Anybody can put it into the market’s list, where buyers find it."
      button="Put it into the list"
      done="It is in the market’s list."
      work={async (wallets) => {
        const { listVotedSales } = await import('../../wallet/deciding.ts')
        await listVotedSales(wallets, proposal)
      }}
    />
  )
}
