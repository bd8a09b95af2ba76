import { machineGovernorAbi, machineVaultAbi } from '@liquefy/abi'
import {
  castVote,
  descriptionHashOf,
  executeProposal,
  type NewVault,
  proposedCalls,
  proposeToOwners,
  queueProposal,
} from '@liquefy/client'
import { parseEventLogs } from 'viem'
import { GOVERNANCE, RESERVE_MINOR } from './founding.ts'
import type { Harbour } from './harbour.ts'
import { ENGINE_YARD, FOUNDER, FRIENDS, type Friend } from './people.ts'

/** What one of the owners says to the engine. */
export type Vote = 'for' | 'against' | 'abstain'

/** What came of the vote; in shares. */
export interface Decision {
  proposalId: string
  title: string
  words: string
  /** What the node reads in the proposal's calls, whatever its words say. */
  effects: string[]
  for: bigint
  against: bigint
  abstain: bigint
  /** Paid out of the reserve, smallest units. */
  spentMinor: bigint
}

const TITLE = `New engine from ${ENGINE_YARD}`
const WORDS =
  'The old one has run its hours. 700 tEUR out of the reserve, fitted before the next charter.'
/** After a wait, so that the block that is asked for is surely beyond it. */
const MARGIN_SECONDS = 60

/** Every seventh friend is against, every ninth abstains: the old engine runs. */
export function voteOf(friend: Friend): Vote {
  const place = FRIENDS.indexOf(friend)
  if (place % 7 === 6) return 'against'
  return place % 9 === 8 ? 'abstain' : 'for'
}

/** From the proposal to the engine: proposed, voted by all forty, queued, and done by the yard when the timelock lets it. */
export async function decideEngine(harbour: Harbour, company: NewVault): Promise<Decision> {
  const { client, deployment, senderOf, addressOf } = harbour
  const { vault, governor } = company
  const description = `# ${TITLE}\n\n${WORDS}`
  const engine = { to: addressOf(ENGINE_YARD), amountMinor: RESERVE_MINOR, purpose: TITLE }
  const calls = proposedCalls({ ...company, deployment }, [{ kind: 'spend', ...engine }])
  const proposer = { ...senderOf(FOUNDER), governor }
  const proposalId = await proposeToOwners({ ...proposer, calls, description })
  await harbour.idle()
  const { effects } = await client.vaultProposal(vault, proposalId)
  await pass(harbour, GOVERNANCE.votingDelaySeconds)
  await Promise.all(
    FRIENDS.map((friend) =>
      castVote({ ...senderOf(friend), governor, proposalId, support: voteOf(friend) }),
    ),
  )
  const [against, inFavour, abstain] = await proposer.publicClient.readContract({
    address: governor,
    abi: machineGovernorAbi,
    functionName: 'proposalVotes',
    args: [BigInt(proposalId)],
  })
  await pass(harbour, GOVERNANCE.votingPeriodSeconds)
  const proposal = { calls, descriptionHash: descriptionHashOf(description) }
  await queueProposal({ ...proposer, proposal })
  await pass(harbour, GOVERNANCE.timelockSeconds)
  const { logs } = await executeProposal({ ...senderOf(ENGINE_YARD), governor, proposal })
  const [spent] = parseEventLogs({ abi: machineVaultAbi, eventName: 'Spent', logs })
  if (!spent) throw new TypeError('The ledger paid the engine without saying so.')
  const spentMinor = spent.args.amount
  return {
    proposalId,
    title: TITLE,
    words: WORDS,
    effects: effects.map(({ words }) => words),
    for: inFavour,
    against,
    abstain,
    spentMinor,
  }
}

/** Lets time pass since the newest block, which may be ahead of the clock. */
async function pass({ clock, senderOf }: Harbour, seconds: number): Promise<void> {
  const { timestamp } = await senderOf(FOUNDER).publicClient.getBlock()
  clock.until((Number(timestamp) + seconds + MARGIN_SECONDS) * 1_000)
}
