import {
  type CallEffect,
  type Deployment,
  type Hex,
  type ProposedAction,
  proposedCalls,
  type Vault,
  type VaultProposal,
} from '@liquefy/client'
import { explainProposal } from '@liquefy/protocol'
import { failureWords } from '../../failures/failure-words.ts'

/** What owners would be asked, as it would stand on the ledger, and in the words that every voter will read; or why it cannot stand there. */
export const effectsOf = (action: ProposedAction, context: EffectsContext): Preview | string => {
  try {
    return previewOf(action, context)
  } catch (error) {
    // A number that is larger than the ledger's.
    return failureWords(error)
  }
}

interface EffectsContext {
  vault: Vault
  deployment: Deployment
  /** The machine of the action, if it has an account. */
  machine: { machineId: string; account: Hex } | undefined
}

interface Preview {
  effects: CallEffect[]
  calls: VaultProposal['calls']
}

const previewOf = (
  action: ProposedAction,
  { vault, deployment, machine }: EffectsContext,
): Preview => {
  const calls = proposedCalls({ ...vault, deployment }, [action])
  const effects = explainProposal(calls, {
    ...vault,
    ...deployment,
    ...deployment.cooperation,
    names: new Map(deployment.people.map(({ address, name }) => [address.toLowerCase(), name])),
    accounts: new Map(machine ? [[machine.account.toLowerCase(), BigInt(machine.machineId)]] : []),
    machineNames: new Map(
      vault.machines.map(({ machineId, machineName }) => [BigInt(machineId), machineName]),
    ),
  })
  return {
    effects,
    calls: calls.map(({ target, value, data }) => ({ target, value: String(value), data })),
  }
}
