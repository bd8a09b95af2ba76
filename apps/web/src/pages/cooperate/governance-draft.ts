import type { GovernanceSetup } from '@liquefy/client'
import { type Duration, durationOf, secondsIn } from './duration.ts'

/** How owners decide, as it is written. */
export interface GovernanceDraft {
  delay: Duration
  period: Duration
  timelock: Duration
  quorum: string
  threshold: string
}

type Known = Omit<GovernanceSetup, 'proposalThreshold'> & { proposalThreshold: bigint | string }

export const governanceDraft = (known: Known): GovernanceDraft => ({
  delay: durationOf(known.votingDelaySeconds),
  period: durationOf(known.votingPeriodSeconds),
  timelock: durationOf(known.timelockSeconds),
  quorum: String(known.quorumPercent),
  threshold: String(known.proposalThreshold),
})

/** How owners decide, or what is wrong with it. */
export const governanceIn = (draft: GovernanceDraft): GovernanceSetup | string => {
  const [delay, period, timelock] = [draft.delay, draft.period, draft.timelock].map(secondsIn)
  if (typeof delay !== 'number') return `Time until the vote: ${delay}`
  if (typeof period !== 'number') return `Time to vote: ${period}`
  if (typeof timelock !== 'number') return `Time until it is done: ${timelock}`
  const quorumPercent = Number(draft.quorum)
  if (!/^\d{1,3}$/.test(draft.quorum.trim()) || quorumPercent < 1 || quorumPercent > 100) {
    return 'Percent that must take part: a whole number from 1 to 100.'
  }
  if (!/^\d{1,30}$/.test(draft.threshold.trim())) return 'Votes to propose: a whole number.'
  return {
    votingDelaySeconds: delay,
    votingPeriodSeconds: period,
    timelockSeconds: timelock,
    quorumPercent,
    proposalThreshold: BigInt(draft.threshold),
  }
}
