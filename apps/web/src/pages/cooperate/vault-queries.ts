import { ApiError, type Hex } from '@liquefy/client'
import { useQuery } from '@tanstack/react-query'
import { node } from '../../api.ts'
import { useDeployment } from '../../queries.ts'

// No event tells of a vault: what is looked at is asked for again and again.
const vaultMs = 3_000
const listMs = 10_000
const shownOwners = 50

/** One page of the vaults of this ledger, newest first. */
export const useVaults = (offset: number) =>
  useQuery({
    queryKey: ['vaults', offset],
    queryFn: () => node.vaults({ offset }),
    placeholderData: (before) => before,
    refetchInterval: listMs,
  })

/** The vault that holds a machine; null: none does, or the ledger has no vaults. */
export const useVaultOf = (machineId: string) => {
  const hasVaults = useDeployment().data?.cooperation != null
  return useQuery({
    queryKey: ['vaults', 'of', machineId],
    queryFn: async () => {
      const { vaults } = await node.vaults({ machineId })
      const holds = (one: (typeof vaults)[number]) =>
        one.machines.some((machine) => machine.machineId === machineId && machine.held)
      return vaults.find(holds) ?? null
    },
    enabled: hasVaults,
  })
}

export const useVault = (vault: Hex) =>
  useQuery({
    queryKey: ['vault', vault],
    queryFn: () => node.vault(vault),
    refetchInterval: vaultMs,
  })

/** One that was made a moment ago: the node sees it with the next block. */
export const useVaultSoon = (vault: Hex) =>
  useQuery({
    queryKey: ['vault', vault],
    queryFn: () => node.vault(vault),
    refetchInterval: vaultMs,
    retry: (failures, error) =>
      error instanceof ApiError && error.code === 'VAULT_UNKNOWN' && failures < 20,
    retryDelay: 500,
  })

/** Largest first, so many of them. */
export const useOwners = (vault: Hex, limit = shownOwners) =>
  useQuery({
    queryKey: ['vault', vault, 'owners', limit],
    queryFn: () => node.vaultOwners(vault, { limit }),
    placeholderData: (before) => before,
    refetchInterval: vaultMs,
  })

/** Newest first; `before` pages back. */
export const useIncomes = (vault: Hex, before: string | undefined, limit: number) =>
  useQuery({
    queryKey: ['vault', vault, 'income', before, limit],
    queryFn: () => node.vaultIncome(vault, before === undefined ? { limit } : { before, limit }),
    placeholderData: (shown) => shown,
    refetchInterval: vaultMs,
  })

export const useMonths = (vault: Hex) =>
  useQuery({
    queryKey: ['vault', vault, 'months'],
    queryFn: () => node.vaultMonths(vault),
    refetchInterval: vaultMs,
  })

export const useVaultProposals = (vault: Hex, offset = 0) =>
  useQuery({
    queryKey: ['vault', vault, 'proposals', offset],
    queryFn: () => node.vaultProposals(vault, { offset }),
    placeholderData: (before) => before,
    refetchInterval: vaultMs,
  })

/** One that was made a moment ago is not known yet. */
export const useVaultProposal = (vault: Hex, proposalId: string) =>
  useQuery({
    queryKey: ['vault', vault, 'proposal', proposalId],
    queryFn: () => node.vaultProposal(vault, proposalId),
    refetchInterval: 1_500,
    retry: (failures, error) =>
      error instanceof ApiError && error.code === 'VAULT_PROPOSAL_UNKNOWN' && failures < 20,
    retryDelay: 500,
  })

/** What somebody holds; undefined: nobody is signed in. */
export const usePortfolio = (me: Hex | undefined) =>
  useQuery({
    queryKey: ['portfolio', me],
    queryFn: () => node.portfolio(me as Hex),
    enabled: me !== undefined,
    refetchInterval: vaultMs,
  })
