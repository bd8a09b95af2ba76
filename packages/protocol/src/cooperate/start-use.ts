import type { Hex } from 'viem'
import { hashTypedData } from 'viem/utils'

/** What a user signs to start a machine. `challenge` is the machine's, for once; `deadline` in seconds, its last one. */
export interface StartUse {
  machineId: bigint
  rightId: bigint
  challenge: Hex
  deadline: bigint
}

const TYPES = {
  StartUse: [
    { name: 'machineId', type: 'uint256' },
    { name: 'rightId', type: 'uint256' },
    { name: 'challenge', type: 'bytes32' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const

/** The EIP-712 typed data of a start, for a wallet. `usageRights` is the contract whose token the right is. */
export function startUseTypedData(ledger: { chainId: number; usageRights: Hex }, start: StartUse) {
  return {
    domain: {
      name: 'Liquefy UsageRights',
      version: '1',
      chainId: ledger.chainId,
      verifyingContract: ledger.usageRights,
    },
    types: TYPES,
    primaryType: 'StartUse',
    message: start,
  } as const
}

/** The EIP-712 digest of a start. */
export function startUseDigest(
  ledger: { chainId: number; usageRights: Hex },
  start: StartUse,
): Hex {
  return hashTypedData(startUseTypedData(ledger, start))
}

/** Why a machine does not start for somebody (docs/protocol/rights.md), in words for him. */
export const START_REFUSALS = {
  RIGHTS_UNKNOWN: 'The machine has never heard of its rights. Connect it to its node once.',
  MACHINE_SUSPENDED: 'The machine is suspended by its owner, or was never activated.',
  MACHINE_RUNNING: 'The machine runs already. Stop it first.',
  CHALLENGE_USED: 'This challenge is not one that the machine waits for. Ask it for a new one.',
  START_EXPIRED: 'The deadline of what was signed is over. Sign anew.',
  RIGHT_UNKNOWN:
    'The machine knows of no such right. If it is new, the machine must hear of it from its node.',
  USER_UNKNOWN: 'This was not signed by whoever may use the right now.',
  RIGHT_NOT_YET: 'The right has not begun.',
  RIGHT_EXPIRED: 'The right is over.',
  HOUR_NOT_HELD: 'The right does not hold this hour.',
} as const

export type StartRefusal = keyof typeof START_REFUSALS
