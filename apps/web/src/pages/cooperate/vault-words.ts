import type {
  Deployment,
  Vault,
  VaultPhase,
  VaultProposalState,
  VaultSummary,
} from '@liquefy/client'

const phases: Record<VaultPhase, [words: string, badge: string]> = {
  selling: ['shares for sale', 'badge badge-registered'],
  live: ['shared', 'badge badge-active'],
  failed: ['sale failed', 'badge badge-decommissioned'],
  'bought-out': ['bought out', 'badge'],
}

export const phaseWords = (phase: VaultPhase): string => phases[phase][0]
export const phaseBadge = (phase: VaultPhase): string => phases[phase][1]

const states: Record<VaultProposalState, [words: string, badge: string]> = {
  pending: ['vote begins soon', 'badge badge-registered'],
  active: ['vote is open', 'badge badge-registered'],
  succeeded: ['accepted, to be queued', 'badge badge-active'],
  queued: ['accepted, waits', 'badge badge-active'],
  ready: ['can be executed', 'badge badge-active'],
  executed: ['executed', 'badge badge-active'],
  defeated: ['not accepted', 'badge badge-decommissioned'],
  canceled: ['withdrawn', 'badge'],
  expired: ['lapsed', 'badge badge-decommissioned'],
}

export const stateWords = (state: VaultProposalState): string => states[state][0]
export const stateBadge = (state: VaultProposalState): string => states[state][1]

/** The machines by name, "Silo 1 and Silo 2"; what it was made with, whether or not it still has them. */
export const machineNames = ({ machines }: Pick<VaultSummary, 'machines'>): string =>
  new Intl.ListFormat('en').format(
    machines.map(({ machineName, machineId }) =>
      machineName === machineId ? `machine ${machineId}` : machineName,
    ),
  )

/** Its money is the token that the node's other figures are of. */
export const isUsualAsset = (vault: Vault, deployment: Deployment): boolean =>
  vault.asset.toLowerCase() === deployment.asset.address.toLowerCase()

export const sameAccount = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && one.toLowerCase() === other?.toLowerCase()
