import { randomBytes } from 'node:crypto'
import {
  clearingHouseAbi,
  evidenceAnchorAbi,
  machineAccountAbi,
  machineRegistryAbi,
  usageRightsAbi,
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

/** Runs one named transaction and keeps what it cost. */
export type Measure = (name: string, gas: Promise<{ gasUsed: bigint }>) => Promise<void>

/** What ERC-721 and the receipt of tokens bring along: what they cost is the library's business, only a transfer is measured. */
const STANDARD = [
  'approve',
  'setApprovalForAll',
  'safeTransferFrom',
  'onERC721Received',
  'onERC1155Received',
  'onERC1155BatchReceived',
]
/** Measured in `settle.ts`, in batches. */
const BATCHED = ['settle', 'settleAttested']

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
  const { evidenceAnchor } = ledger.node.deployment
  const root: Hex = `0x${randomBytes(32).toString('hex')}`
  const call = { address: evidenceAnchor, abi: evidenceAnchorAbi, functionName: 'anchor' }
  await measure('anchor', ledger.send(people.payer, { ...call, args: [700n, root, []] }))
  const missing = [
    machineRegistryAbi,
    machineAccountAbi,
    clearingHouseAbi,
    evidenceAnchorAbi,
    usageRightsAbi,
  ]
    .flatMap((abi) => writesOf(abi))
    .filter((name) => ![...STANDARD, ...BATCHED].includes(name) && gas[name] === undefined)
  if (missing.length > 0) throw new Error(`Nobody has measured ${missing.join(', ')}.`)
  return gas
}

function writesOf(abi: Abi): string[] {
  return abi.flatMap((item) =>
    item.type === 'function' && ['nonpayable', 'payable'].includes(item.stateMutability)
      ? [item.name]
      : [],
  )
}
