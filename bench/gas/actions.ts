import { randomBytes } from 'node:crypto'
import {
  allowListsAbi,
  clearingHouseAbi,
  evidenceAnchorAbi,
  machineAccountAbi,
  machineGovernorAbi,
  machineRegistryAbi,
  machineVaultAbi,
  usageRightsAbi,
  vaultFactoryAbi,
  vaultTimelockAbi,
} from '@liquefy/abi'
import type { Hex } from '@liquefy/protocol'
import type { Abi } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { accountActions } from './account-actions.ts'
import type { BenchLedger } from './ledger.ts'
import { machineActions } from './machine-actions.ts'
import { marketActions } from './market-actions.ts'
import { moneyActions } from './money-actions.ts'
import { rightsActions } from './rights-actions.ts'
import { vaultActions } from './vault-actions.ts'

/** Runs one named transaction and keeps what it cost. */
export type Measure = (name: string, gas: Promise<{ gasUsed: bigint }>) => Promise<void>

/** Each contract, and what stands before the name of its actions where other contracts have the same. */
const CONTRACTS: readonly [Abi, string][] = [
  [machineRegistryAbi, ''],
  [machineAccountAbi, ''],
  [clearingHouseAbi, ''],
  [evidenceAnchorAbi, ''],
  [usageRightsAbi, 'right'],
  [vaultFactoryAbi, 'factory'],
  [machineVaultAbi, 'vault'],
  [machineGovernorAbi, 'governor'],
  [vaultTimelockAbi, 'timelock'],
  [allowListsAbi, 'allowList'],
]
/** What the standards of tokens, votes and their receipt bring along: what they cost is the library's business, only a transfer and a vote are measured. */
const STANDARD = [
  'approve',
  'setApprovalForAll',
  'safeTransferFrom',
  'onERC721Received',
  'onERC1155Received',
  'onERC1155BatchReceived',
  'vaultApprove',
  'vaultPermit',
  'vaultDelegateBySig',
  'rightApprove',
  'rightSetApprovalForAll',
  'rightSafeTransferFrom',
  'governorCastVoteBySig',
  'governorCastVoteWithReasonAndParams',
  'governorCastVoteWithReasonAndParamsBySig',
  'governorOnERC721Received',
  'governorOnERC1155Received',
  'governorOnERC1155BatchReceived',
  'timelockOnERC721Received',
  'timelockOnERC1155Received',
  'timelockOnERC1155BatchReceived',
]
/** Measured in `settle.ts` and `vault.ts`, under names of their own. */
const ELSEWHERE = ['settle', 'settleAttested', 'factoryCreate', 'vaultCollect', 'vaultClaim']
/** Part of other actions: what the factory begins with, what `queue` and `execute` of a governor call, and what no vote of ours needs. */
const INSIDE = [
  'vaultInitialize',
  'governorInitialize',
  'governorRelay',
  'governorUpdateTimelock',
  'timelockInitialize',
  'timelockSchedule',
  'timelockScheduleBatch',
  'timelockExecute',
  'timelockExecuteBatch',
  'timelockCancel',
  'timelockGrantRole',
  'timelockRevokeRole',
  'timelockRenounceRole',
]

/**
 * What each public action costs alone, in the order of a machine's and an agreement's life.
 *
 * @throws Error if a function of the contracts was left out.
 */
export async function measureActions(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: PrivateKeyAccount },
): Promise<Record<string, bigint>> {
  const gas: Record<string, bigint> = {}
  const measure: Measure = async (name, sent) => {
    gas[name] = (await sent).gasUsed
  }
  await machineActions(ledger, people, measure)
  await moneyActions(ledger, people, measure)
  await accountActions(ledger, people, measure)
  await marketActions(ledger, people, measure)
  await rightsActions(ledger, people, measure)
  await vaultActions(ledger, people, measure)
  const { evidenceAnchor } = ledger.node.deployment
  const root: Hex = `0x${randomBytes(32).toString('hex')}`
  const call = { address: evidenceAnchor, abi: evidenceAnchorAbi, functionName: 'anchor' }
  await measure('anchor', ledger.send(people.payer, { ...call, args: [700n, root, []] }))
  const unmeasured = [...STANDARD, ...ELSEWHERE, ...INSIDE]
  const missing = CONTRACTS.flatMap(([abi, prefix]) => writesOf(abi, prefix)).filter(
    (name) => !unmeasured.includes(name) && gas[name] === undefined,
  )
  if (missing.length > 0) throw new Error(`Nobody has measured ${missing.join(', ')}.`)
  return gas
}

function writesOf(abi: Abi, prefix: string): string[] {
  return abi.flatMap((item) =>
    item.type === 'function' && ['nonpayable', 'payable'].includes(item.stateMutability)
      ? [
          prefix === ''
            ? item.name
            : `${prefix}${item.name.charAt(0).toUpperCase()}${item.name.slice(1)}`,
        ]
      : [],
  )
}
