import type { Hex } from '@liquefy/client'
import { useQuery } from '@tanstack/react-query'
import { node } from './api.ts'
import { todayMs } from './ui/today.ts'

/** Where this node's ledger is; it does not change while the node runs. */
export const useDeployment = () =>
  useQuery({ queryKey: ['deployment'], queryFn: () => node.deployment(), staleTime: Infinity })

export const useStatus = () =>
  useQuery({ queryKey: ['status'], queryFn: () => node.status(), refetchInterval: 5_000 })

/** All machines, with what they settled since the reader's midnight. */
export const useMachines = () =>
  useQuery({
    queryKey: ['machines'],
    queryFn: () => node.machines({ sinceMs: todayMs() }),
    refetchInterval: 60_000,
  })

export const useMachine = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId],
    queryFn: () => node.machine(machineId, { sinceMs: todayMs() }),
  })

/** One that was registered a moment ago: the node sees it with the next block. */
export const useMachineSoon = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId],
    queryFn: () => node.machine(machineId, { sinceMs: todayMs() }),
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

/** Logged readings that nobody pays, newest first. */
export const useUnpriced = (machineId: string) =>
  useQuery({ queryKey: ['unpriced', machineId], queryFn: () => node.unpriced(machineId) })

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

const monthMs = 30 * 86_400_000

/** The highest value of a stream (null: none) within 30 days, to the minute. */
export const useHighest = (machineId: string, stream: string | null) =>
  useQuery({
    queryKey: ['highest', machineId, stream],
    queryFn: async () => {
      const [series] = await readingsOf(machineId, stream, monthMs, sparkPoints)
      return Math.max(0, ...(series?.buckets.map(({ max }) => max) ?? []))
    },
    refetchInterval: 60_000,
  })

export const useAgreements = () =>
  useQuery({ queryKey: ['agreements'], queryFn: () => node.agreements() })

/** Warnings to the parties of agreements that are low on escrow. */
export const useNotices = () =>
  useQuery({ queryKey: ['notices'], queryFn: () => node.notices(), refetchInterval: 15_000 })

export const useAgreement = (agreementId: Hex) =>
  useQuery({ queryKey: ['agreement', agreementId], queryFn: () => node.agreement(agreementId) })
