import type { Hex } from '@liquefy/client'
import { useQueries, useQuery } from '@tanstack/react-query'
import { node } from './api.ts'
import { useSession } from './session/use-session.ts'

/** Where this node's ledger is; it does not change while the node runs. */
export const useDeployment = () =>
  useQuery({ queryKey: ['deployment'], queryFn: () => node.deployment(), staleTime: Infinity })

export const useStatus = () =>
  useQuery({ queryKey: ['status'], queryFn: () => node.status(), refetchInterval: 5_000 })

export const useMachines = () =>
  useQuery({ queryKey: ['machines'], queryFn: () => node.machines() })

export const useMachine = (machineId: string) =>
  useQuery({ queryKey: ['machine', machineId], queryFn: () => node.machine(machineId) })

/** One that was registered a moment ago: the node sees it with the next block. */
export const useMachineSoon = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId],
    queryFn: () => node.machine(machineId),
    retry: 20,
    retryDelay: 500,
  })

export const useTimeline = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId, 'timeline'],
    queryFn: () => node.timeline(machineId),
  })

export const useRefusals = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId, 'refusals'],
    queryFn: () => node.refusals(machineId),
  })

/** The newest dozen of a machine. */
export const useEnvelopes = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId, 'envelopes'],
    queryFn: () => node.envelopes(machineId, { limit: 12 }),
  })

/** One envelope with its proof; neither changes once it is logged, but the proof's root is of the moment. */
export const useEnvelope = (logIndex: string) =>
  useQuery({ queryKey: ['envelope', logIndex], queryFn: () => node.envelope(logIndex) })

/** The last `spanMs` of one stream (null: none yet), in about `points` buckets. */
export const useReadings = (
  machineId: string,
  stream: string | null,
  spanMs: number,
  points: number,
) =>
  useQuery({
    queryKey: ['readings', machineId, stream, spanMs, points],
    queryFn: () => readingsOf(machineId, stream, spanMs, points),
    placeholderData: (before) => before,
  })

const sparkMs = 15 * 60_000
const sparkPoints = 60

/** The last quarter of an hour of one stream, for a line in a list; null: none is wanted. */
export const useSparkline = (machineId: string, stream: string | null) =>
  useQuery({
    queryKey: ['sparkline', machineId, stream],
    queryFn: () => readingsOf(machineId, stream, sparkMs, sparkPoints),
    placeholderData: (before) => before,
  })

const readingsOf = async (
  machineId: string,
  stream: string | null,
  spanMs: number,
  points: number,
) => {
  if (stream === null) return []
  const toMs = Date.now()
  return node.readings(machineId, { stream, fromMs: toMs - spanMs, toMs, points })
}

export const useAgreements = () =>
  useQuery({ queryKey: ['agreements'], queryFn: () => node.agreements() })

/** Warnings to the parties of agreements that are low on escrow. */
export const useNotices = () =>
  useQuery({ queryKey: ['notices'], queryFn: () => node.notices(), refetchInterval: 15_000 })

export const useAgreement = (agreementId: Hex) =>
  useQuery({ queryKey: ['agreement', agreementId], queryFn: () => node.agreement(agreementId) })

const proposalsMs = 3_000

/** What I have proposed or been proposed. No event tells of it, since events are everybody's: it is asked for again and again. */
export const useProposals = () => {
  const me = useSession()?.address
  return useQuery({
    queryKey: ['proposals', me],
    queryFn: () => node.proposals(),
    enabled: me !== undefined,
    refetchInterval: proposalsMs,
  })
}

/** The negotiation that a proposal belongs to (null: none is wanted). */
export const useDialogue = (proposalId: Hex | null) => {
  const me = useSession()?.address
  return useQuery({
    queryKey: ['proposal', proposalId, me],
    queryFn: () => (proposalId === null ? { offers: [] } : node.proposal(proposalId)),
    enabled: me !== undefined && proposalId !== null,
    refetchInterval: proposalsMs,
  })
}

/** Several agreements at once, such as all of a machine. */
export const useEachAgreement = (agreementIds: readonly Hex[]) =>
  useQueries({
    queries: agreementIds.map((agreementId) => ({
      queryKey: ['agreement', agreementId],
      queryFn: () => node.agreement(agreementId),
    })),
  })
