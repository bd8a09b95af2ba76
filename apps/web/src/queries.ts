import {
  ApiError,
  type Hex,
  type MarketQuery,
  type ReadingBucket,
  type SettlementEvidence,
} from '@liquefy/client'
import { queryOptions, useQuery } from '@tanstack/react-query'
import { node } from './api.ts'
import { useSession } from './session/use-session.ts'
import { todayMs } from './ui/today.ts'

/** Where this node's ledger is; it does not change while the node runs. */
export const useDeployment = () =>
  useQuery({ queryKey: ['deployment'], queryFn: () => node.deployment(), staleTime: Infinity })

export const useStatus = () =>
  useQuery({ queryKey: ['status'], queryFn: () => node.status(), refetchInterval: 5_000 })

/** What an operator watches: asked every two seconds, and not while nobody sees it. */
export const useOperation = () =>
  useQuery({
    queryKey: ['operation'],
    queryFn: () => node.operation(),
    refetchInterval: 2_000,
    retry: false,
  })

/** All machines, with what they settled since the reader's midnight. */
export const useMachines = () =>
  useQuery({
    queryKey: ['machines'],
    queryFn: () => node.machines({ sinceMs: todayMs() }),
    refetchInterval: 60_000,
  })

const machineQuery = (machineId: string) =>
  queryOptions({
    queryKey: ['machine', machineId],
    queryFn: () => node.machine(machineId, { sinceMs: todayMs() }),
  })

export const useMachine = (machineId: string) => useQuery(machineQuery(machineId))

/** One that was registered a moment ago: the node sees it with the next block. */
export const useMachineSoon = (machineId: string) =>
  useQuery({ ...machineQuery(machineId), retry: 20, retryDelay: 500 })

/** What a buyer asks of a machine. */
export const useLife = (machineId: string) =>
  useQuery({
    queryKey: ['life', machineId],
    queryFn: () => node.life(machineId),
    refetchInterval: 30_000,
  })

/** Its own account as the ledger has it: nobody tells of payments out of it. */
export const useAccount = (machineId: string, isWanted = true) =>
  useQuery({
    queryKey: ['account', machineId],
    queryFn: () => node.machineAccount(machineId),
    refetchInterval: 15_000,
    enabled: isWanted,
  })

/** A week of a machine's hours; undefined: the present one. */
export const useCalendar = (machineId: string, week: number | undefined) =>
  useQuery({
    queryKey: ['calendar', machineId, week],
    queryFn: () => node.machineCalendar(machineId, week === undefined ? {} : { fromWeek: week }),
    placeholderData: (before) => before,
    refetchInterval: 10_000,
  })

/** Rights to use a machine that are not over. */
export const useMachineRights = (machineId: string) =>
  useQuery({
    queryKey: ['machine', machineId, 'rights'],
    queryFn: () => node.machineRights(machineId),
    refetchInterval: 60_000,
  })

/** Rights that somebody owns or has borrowed; undefined: nobody asks. */
export const useRights = (owner: Hex | undefined) =>
  useQuery({
    queryKey: ['rights', owner],
    queryFn: () => (owner === undefined ? [] : node.rights(owner)),
    refetchInterval: 10_000,
  })

export const useTimeline = (machineId: string) =>
  useQuery({ queryKey: ['timeline', machineId], queryFn: () => node.timeline(machineId) })

export const useRefusals = (machineId: string) =>
  useQuery({ queryKey: ['refusals', machineId], queryFn: () => node.refusals(machineId) })

/** Logged readings that nobody pays, newest first. */
export const useUnpriced = (machineId: string) =>
  useQuery({ queryKey: ['unpriced', machineId], queryFn: () => node.unpriced(machineId) })

/** The newest dozen of a machine (null: none yet). */
export const useEnvelopes = (machineId: string | null) =>
  useQuery({
    queryKey: ['machine', machineId, 'envelopes'],
    queryFn: () => (machineId === null ? [] : node.envelopes(machineId, { limit: 12 })),
  })

/** One envelope with its proof; neither changes once it is logged, but the proof's root is of the moment. */
export const useEnvelope = (logIndex: string) =>
  useQuery({ queryKey: ['envelope', logIndex], queryFn: () => node.envelope(logIndex) })

/** The last `spanMs` of one stream (null: none yet), in about `points` buckets, as it goes on. */
export const readingsQuery = (
  machineId: string,
  stream: string | null,
  spanMs: number,
  points: number,
) =>
  queryOptions({
    queryKey: ['readings', machineId, stream, spanMs, points],
    queryFn: () => readingsOf(machineId, stream, spanMs, points),
    placeholderData: (before) => before,
  })

const dayMs = 86_400_000

/** What one stream (null: none) showed during the last day, to be looked at in peace: a minute old at most. */
export const useSample = (machineId: string, stream: string | null) =>
  useQuery({
    queryKey: ['sample', machineId, stream],
    queryFn: () => readingsOf(machineId, stream, dayMs, 300),
    placeholderData: (before) => before,
    refetchInterval: 60_000,
  })

const sparkMs = 15 * 60_000
const sparkPoints = 60

/** The last quarter of an hour of one stream, for a line in a list; null: none is wanted. */
export const useSparkline = (machineId: string, stream: string | null) =>
  useQuery({
    queryKey: ['sparkline', machineId, stream],
    queryFn: () => readingsOf(machineId, stream, sparkMs, sparkPoints),
    enabled: stream !== null,
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

const monthMs = 30 * dayMs

/** The highest value, or none: 0. */
export const highestIn = (buckets: readonly ReadingBucket[]): number =>
  Math.max(0, ...buckets.map(({ max }) => max))

/** The highest value of a stream (null: none) within 30 days, to the minute. */
export const useHighest = (machineId: string, stream: string | null) =>
  useQuery({
    queryKey: ['highest', machineId, stream],
    queryFn: async () => {
      const [series] = await readingsOf(machineId, stream, monthMs, sparkPoints)
      return highestIn(series?.buckets ?? [])
    },
    refetchInterval: 60_000,
  })

export const useAgreements = () =>
  useQuery({ queryKey: ['agreements'], queryFn: () => node.agreements() })

/** Warnings to the parties of agreements that are low on escrow. */
export const useNotices = () =>
  useQuery({ queryKey: ['notices'], queryFn: () => node.notices(), refetchInterval: 15_000 })

/** One agreement. No event tells that what is paid becomes final, nor that its payer tops it up. */
export const useAgreement = (agreementId: Hex) =>
  useQuery({
    queryKey: ['agreement', agreementId],
    queryFn: () => node.agreement(agreementId),
    refetchInterval: ({ state: { data } }) =>
      data !== undefined && data.includedMinor !== data.finalMinor ? finalMs : fundedMs,
  })

const finalMs = 2_000
const fundedMs = 15_000

/** What whoever is signed in said of himself for invoices; null: nothing yet. `me`: whoever that is. */
export const useMyDetails = (me: Hex) =>
  useQuery({
    queryKey: ['my-details', me],
    queryFn: () =>
      node.myDetails().catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'DETAILS_MISSING') return null
        throw error
      }),
  })

/** An agreement's money over time, from `fromMs` on or since it began. */
export const useMoneyHistory = (agreementId: Hex, fromMs: number | undefined) =>
  useQuery({
    queryKey: ['agreement', agreementId, 'money', fromMs],
    queryFn: () => node.moneyHistory(agreementId, fromMs === undefined ? {} : { fromMs }),
    placeholderData: (before) => before,
  })

export const useEscrow = (agreementId: Hex) =>
  useQuery({
    queryKey: ['agreement', agreementId, 'escrow'],
    queryFn: () => node.escrow(agreementId),
  })

/** Periods before one, newest first. */
export const usePeriodsBefore = (agreementId: Hex, before: number | undefined, limit: number) =>
  useQuery({
    queryKey: ['agreement', agreementId, 'periods', before, limit],
    queryFn: () => (before === undefined ? [] : node.periods(agreementId, { before, limit })),
    placeholderData: (shown) => shown,
  })

/** Settlements before one, newest first. */
export const useSettlementsBefore = (agreementId: Hex, before: string | undefined, limit: number) =>
  useQuery({
    queryKey: ['agreement', agreementId, 'settlements', before, limit],
    queryFn: () => (before === undefined ? [] : node.settlements(agreementId, { before, limit })),
    placeholderData: (shown) => shown,
  })

/** What one settlement rests on; once it is final and anchored it does not change. */
export const useSettlement = (agreementId: Hex, place: string) =>
  useQuery({
    queryKey: ['settlement', agreementId, place],
    queryFn: () => node.settlement(agreementId, place),
    refetchInterval: ({ state: { data } }) => (data && !isSettledForGood(data) ? finalMs : false),
  })

const isSettledForGood = ({ final, covers, anchor }: SettlementEvidence): boolean =>
  final && (anchor === null ? covers === null || covers.length === 0 : anchor.final)

/** What one envelope was worth; it is asked for again until all of it is paid for good. */
export const useEnvelopePayments = (logIndex: string) =>
  useQuery({
    queryKey: ['payments', logIndex],
    queryFn: () => node.envelopePayments(logIndex),
    refetchInterval: ({ state: { data } }) =>
      data?.length && data.every(({ settlement }) => settlement?.final) ? false : paymentsMs,
  })

const paymentsMs = 5_000

/** What can be had on the market, as `query` says. Orders are posted by anybody, and no event tells of them. */
export const useMarketOrders = (query: MarketQuery) =>
  useQuery({
    queryKey: ['market', query],
    queryFn: () => node.marketOrders(query),
    placeholderData: (before) => before,
    refetchInterval: marketMs,
  })

const marketMs = 15_000

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

/** The negotiation that a proposal belongs to. */
export const useDialogue = (proposalId: Hex) => {
  const me = useSession()?.address
  return useQuery({
    queryKey: ['proposal', proposalId, me],
    queryFn: () => node.proposal(proposalId),
    enabled: me !== undefined,
    refetchInterval: proposalsMs,
  })
}
