/** JSON Schemas of what the API takes and answers about vaults. */

import {
  address,
  boolean,
  digits,
  hex,
  integer,
  list,
  object,
  objectOrNull,
  orNull,
  text,
} from './schemas.ts'

/** Also negative. */
const signed = { type: 'string', pattern: '^-?(0|[1-9][0-9]{0,77})$' } as const
const pageFields = {
  offset: { type: 'integer', minimum: 0, maximum: 1_000_000 },
  limit: { type: 'integer', minimum: 1, maximum: 200 },
} as const

export const vaultParams = object({ vault: address })
export const accountParams = object({ account: address })
export const ownerParams = object({ vault: address, account: address })
export const proposalParams = object({ vault: address, id: digits })
export const pageQuery = object(pageFields, ['offset', 'limit'])
export const linesQuery = object(
  { ...pageFields, limit: { type: 'integer', minimum: 1, maximum: 1_000 } },
  ['offset', 'limit'],
)
export const vaultsQuery = object({ ...pageFields, machineId: digits }, [
  'offset',
  'limit',
  'machineId',
])
export const incomeQuery = object(
  {
    before: { type: 'string', pattern: '^[0-9]{1,15}-[0-9]{1,9}$' },
    limit: pageFields.limit,
  },
  ['before', 'limit'],
)

const phase = { type: 'string', enum: ['selling', 'live', 'failed', 'bought-out'] } as const
const machines = list(object({ machineId: digits, machineName: text, held: boolean }))
const summaryFields = {
  vault: hex,
  name: text,
  symbol: text,
  phase,
  founder: hex,
  operator: hex,
  machines,
  supply: digits,
  ownerCount: integer,
  sale: objectOrNull({
    priceMinor: digits,
    cap: digits,
    goal: digits,
    sold: digits,
    deadlineMs: integer,
    state: { type: 'string', enum: ['open', 'over', 'succeeded', 'failed'] },
  }),
  incomeMinor: digits,
  ownersMinor: digits,
  createdMs: integer,
}
const nextOffset = orNull(integer)

export const vaultPage = object({ vaults: list(object(summaryFields)), nextOffset })

export const vault = object({
  ...summaryFields,
  asset: hex,
  governor: hex,
  timelock: hex,
  controller: hex,
  compliance: object({
    kind: { type: 'string', enum: ['open', 'allow-list', 'contract'] },
    contract: orNull(hex),
  }),
  waterfall: object({
    reserveTargetMinor: digits,
    lender: orNull(hex),
    outstandingMinor: digits,
    fees: list(object({ to: hex, bps: integer })),
  }),
  reserveMinor: digits,
  credits: list(object({ account: hex, minor: digits })),
  claimableMinor: digits,
  undistributedMinor: digits,
  collectable: object({ minor: digits, agreementIds: list(hex) }),
  governance: object({
    votingDelaySeconds: integer,
    votingPeriodSeconds: integer,
    proposalThreshold: digits,
    quorumPercent: integer,
    timelockSeconds: integer,
  }),
  buyoutRules: objectOrNull({ minBps: integer, refusalBps: integer, delaySeconds: integer }),
  buyout: objectOrNull({
    offer: digits,
    offerer: hex,
    priceMinor: digits,
    depositMinor: digits,
    refuseByMs: integer,
    refused: digits,
    refusalLimit: digits,
    state: { type: 'string', enum: ['stands', 'ripe', 'refused', 'completed'] },
    offeredMs: integer,
  }),
  openProposals: integer,
  txHash: hex,
})

export const ownerPage = object({
  owners: list(
    object({
      account: hex,
      shares: digits,
      sharePpm: integer,
      claimedMinor: digits,
      claimableMinor: digits,
      delegate: hex,
    }),
  ),
  nextOffset,
})
export const allowedPage = object({ accounts: list(hex), nextOffset })

const partFields = {
  minor: digits,
  reserveMinor: digits,
  lenderMinor: digits,
  feesMinor: digits,
  ownersMinor: digits,
}
export const incomePage = object({
  incomes: list(
    object({
      place: text,
      atMs: integer,
      ...partFields,
      cumulatedMinor: digits,
      cumulatedOwnersMinor: digits,
      supply: digits,
      soleOwner: orNull(hex),
      txHash: hex,
      final: boolean,
    }),
  ),
  before: orNull(text),
})
export const months = list(object({ month: text, ...partFields }))

const effect = object({
  kind: text,
  words: text,
  severity: { type: 'string', enum: ['usual', 'grave', 'unknown'] },
})
const proposalFields = {
  proposalId: digits,
  vault: hex,
  vaultName: text,
  proposer: hex,
  title: text,
  state: {
    type: 'string',
    enum: [
      'pending',
      'active',
      'canceled',
      'defeated',
      'succeeded',
      'queued',
      'ready',
      'executed',
      'expired',
    ],
  },
  effects: list(effect),
  createdMs: integer,
  votesFromMs: integer,
  votesUntilMs: integer,
  executableMs: orNull(integer),
  for: digits,
  against: digits,
  abstain: digits,
  quorum: digits,
}
export const proposalPage = object({ proposals: list(object(proposalFields)), nextOffset })
export const proposal = object({
  ...proposalFields,
  description: text,
  descriptionHash: hex,
  calls: list(object({ target: hex, value: digits, data: hex })),
  votes: list(
    object({
      voter: hex,
      support: { type: 'string', enum: ['for', 'against', 'abstain'] },
      weight: digits,
      reason: text,
      atMs: integer,
      txHash: hex,
    }),
  ),
  voteCount: integer,
  queuedMs: orNull(integer),
  executedMs: orNull(integer),
  canceledMs: orNull(integer),
  operationId: hex,
  txHash: hex,
})

export const portfolio = object({
  account: hex,
  holdings: list(
    object({
      vault: hex,
      name: text,
      symbol: text,
      phase,
      machines,
      shares: digits,
      sharePpm: integer,
      bought: digits,
      claimableMinor: digits,
      claimedMinor: digits,
      earnedMinor: digits,
      creditMinor: digits,
      delegate: hex,
      votes: digits,
      redeemableMinor: orNull(digits),
      refused: digits,
    }),
  ),
  waitingVotes: list(object({ ...proposalFields, weight: digits })),
})

export const statement = object({
  vault: hex,
  name: text,
  symbol: text,
  account: hex,
  asset: object({ address: hex, symbol: text, decimals: integer }),
  shares: digits,
  earnedMinor: digits,
  claimedMinor: digits,
  balanceMinor: digits,
  creditMinor: digits,
  lines: list(
    object({
      place: text,
      atMs: integer,
      kind: {
        type: 'string',
        enum: [
          'income',
          'claim',
          'bought',
          'refunded',
          'received',
          'sent',
          'redeemed',
          'credit-paid',
        ],
      },
      minor: signed,
      balanceMinor: digits,
      paidMinor: orNull(digits),
      shares: digits,
      supply: digits,
      ownersMinor: orNull(digits),
      other: orNull(hex),
      txHash: hex,
    }),
  ),
  nextOffset,
})
