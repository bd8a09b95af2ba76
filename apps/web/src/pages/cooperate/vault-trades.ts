import { type MarketOrder, offersForVault, type Vault } from '@liquefy/client'
import { useQueries, useQuery } from '@tanstack/react-query'
import { node } from '../../api.ts'
import { useAgreements } from '../../queries.ts'
import { sameAccount } from './vault-words.ts'

const tradesMs = 15_000
/** Of each machine, and of the vault's own orders. */
const mostOrders = 50
const mostMachines = 50

/** Open offers for what a vault holds, the dearest first; undefined: not known yet. */
export const useOffersFor = (vault: Vault, isAsked: boolean): MarketOrder[] | undefined => {
  const agreements = useAgreements().data
  const pages = useQueries({
    queries: vault.machines.slice(0, mostMachines).map(({ machineId }) => ({
      queryKey: ['market', 'offers', machineId],
      queryFn: () => node.marketOrders({ side: 'offer', machineId, limit: mostOrders }),
      enabled: isAsked,
      refetchInterval: tradesMs,
    })),
  })
  const positions = (agreements ?? [])
    .filter(({ position, open }) => open && sameAccount(position.owner, vault.vault))
    .map(({ agreementId }) => agreementId)
  if (agreements === undefined || pages.some(({ data }) => data === undefined)) return undefined
  const orders = pages.flatMap(({ data }) => data?.orders ?? [])
  return offersForVault(orders, vault, positions).sort((one, other) =>
    BigInt(one.priceMinor) > BigInt(other.priceMinor) ? -1 : 1,
  )
}

/** The machines that a vault sells or has sold on the market; undefined: not known yet. */
export const useSalesOf = (vault: Vault, isAsked: boolean): MarketOrder[] | undefined =>
  useQuery({
    queryKey: ['market', 'sales', vault.vault],
    queryFn: () =>
      node.marketOrders({ maker: vault.vault, kind: 'machine', all: true, limit: mostOrders }),
    enabled: isAsked,
    refetchInterval: tradesMs,
  }).data?.orders
