import { type Deployment, type MarketOrder, marketOf, type Vault } from '@liquefy/client'
import { orderToJson } from '@liquefy/protocol'
import { describe, expect, test } from 'vitest'
import { durationOf, secondsIn } from '../src/pages/cooperate/duration.ts'
import { bpsIn } from '../src/pages/cooperate/percent.ts'
import {
  actionOf,
  emptyProposal,
  type ProposalDraft,
} from '../src/pages/cooperate/proposal-draft.ts'
import { sharesIn } from '../src/pages/cooperate/shares.ts'
import { noWaterfall, waterfallIn } from '../src/pages/cooperate/waterfall-draft.ts'

const ANNA = `0x${'a1'.repeat(20)}` as const
const BERT = `0x${'b2'.repeat(20)}` as const

const deployment = {
  asset: { address: `0x${'ee'.repeat(20)}`, symbol: 'tEUR', decimals: 6 },
  people: [
    { name: 'Anna', address: ANNA },
    { name: 'Bert', address: BERT },
  ],
  chainId: 31_337,
  registry: `0x${'22'.repeat(20)}`,
  clearingHouse: `0x${'33'.repeat(20)}`,
  cooperation: {
    allowLists: `0x${'11'.repeat(20)}`,
    market: `0x${'44'.repeat(20)}`,
    usageRights: `0x${'55'.repeat(20)}`,
  },
} as Deployment

const vault = {
  asset: deployment.asset.address,
  machines: [{ machineId: '7', machineName: 'Boat', held: true }],
  compliance: { kind: 'open', contract: null },
  waterfall: {
    reserveTargetMinor: '1500000',
    lender: ANNA,
    outstandingMinor: '2000000',
    fees: [{ to: BERT, bps: 250 }],
  },
  governance: {
    votingDelaySeconds: 86_400,
    votingPeriodSeconds: 259_200,
    proposalThreshold: '1',
    quorumPercent: 25,
    timelockSeconds: 5_400,
  },
  buyoutRules: null,
} as unknown as Vault

/** An offer for the boat that ends so many days from the beginning of time. */
const offerUntil = (days: number): MarketOrder => {
  const order = orderToJson(marketOf(deployment), {
    side: 'offer',
    maker: BERT,
    good: { kind: 'machine', machineId: 7n },
    priceMinor: 5n,
    startTime: 0n,
    endTime: BigInt(days * 86_400),
    salt: 0n,
    counter: 0n,
  })
  const shown: Pick<MarketOrder, 'orderId' | 'order' | 'signature'> = {
    orderId: `0x0${days}`,
    order,
    signature: '0x12',
  }
  return shown as MarketOrder
}

const action = (
  change: Partial<ProposalDraft>,
  offers: MarketOrder[] | undefined = [offerUntil(5), offerUntil(6)],
) =>
  actionOf(
    { ...emptyProposal(vault, deployment), ...change },
    { vault, deployment, machineAccount: undefined, offers, sales: [], nowMs: 0 },
  )

describe('what is written into a form', () => {
  test.each([
    ['3', 'days', 259_200],
    ['0.5', 'hours', 1_800],
    ['0', 'days', 'It must be more than nothing.'],
    ['-1', 'days', 'Write a number like 3.'],
    ['1e9', 'days', 'Write a number like 3.'],
  ] as const)('%s %s is %s seconds', (count, unit, seconds) => {
    expect(secondsIn({ count, unit })).toBe(seconds)
  })

  test('a duration stands in its largest whole unit, and comes back as it was', () => {
    for (const seconds of [60, 5_400, 7_200, 86_400, 1_209_600]) {
      expect(secondsIn(durationOf(seconds))).toBe(seconds)
    }
    expect(durationOf(7_200)).toEqual({ count: '2', unit: 'hours' })
  })

  test.each([
    ['2.5', 250],
    ['100', 10_000],
    ['100.01', 'It must not be more than 100.'],
    ['2.555', 'Write a percentage like 5 or 2.5.'],
  ] as const)('%s percent', (text, bps) => {
    expect(bpsIn(text)).toBe(bps)
  })

  test.each([
    ['3', 3n],
    ['0', 'It must be one at least.'],
    ['1.5', 'Shares are whole: write a number like 3.'],
    ['9', 'Only 8 are left.'],
  ] as const)('%s shares', (text, shares) => {
    expect(sharesIn(text, 8n, 'left')).toBe(shares)
  })

  test('a waterfall: names stand for people, and fees are at most all', () => {
    expect(waterfallIn(noWaterfall, deployment)).toEqual({ reserveTarget: 0n, fees: [] })
    const fees = [
      { key: 0, to: 'anna', percent: '60' },
      { key: 1, to: BERT, percent: '40.01' },
    ]
    expect(waterfallIn({ ...noWaterfall, fees }, deployment)).toBe(
      'Fees: together they are more than all.',
    )
    expect(waterfallIn({ ...noWaterfall, outstanding: '5' }, deployment)).toBe(
      'Lender: say who it is.',
    )
    expect(waterfallIn({ ...noWaterfall, lender: 'Carl' }, deployment)).toBe(
      'Lender: nobody has this name.',
    )
  })
})

describe('what owners would vote on', () => {
  test('a form that nobody has touched proposes what stands already', () => {
    expect(action({ kind: 'waterfall' })).toEqual({
      kind: 'waterfall',
      waterfall: {
        reserveTarget: 1_500_000n,
        lender: { account: ANNA, outstanding: 2_000_000n },
        fees: [{ to: BERT, bps: 250 }],
      },
    })
    expect(action({ kind: 'governance' })).toBe('Nothing is changed yet.')
    expect(action({ kind: 'buyout-rules' })).toEqual({ kind: 'buyout-rules', rules: null })
  })

  test.each([
    [{ kind: 'spend' }, 'Say who gets the money.'],
    [{ kind: 'spend', account: 'Anna', amount: '1' }, 'Say what the money is for.'],
    [{ kind: 'spend', account: 'Anna', amount: '0', purpose: 'x' }, /more than nothing/],
    [{ kind: 'machine-policy' }, /no account on the ledger yet/],
    [{ kind: 'suspend', machineId: '' }, 'Choose the machine.'],
    [{ kind: 'close-agreement', agreementId: '0x12' }, /0x and 64 digits/],
    [{ kind: 'accept-offer' }, 'Choose the offer.'],
    [{ kind: 'accept-offer', offerId: '0x05' }, /ends 1970-01-06T00:00 UTC, while the vote runs/],
    [{ kind: 'sell-machine', amount: '' }, /^Price: /],
    [
      { kind: 'sell-machine', amount: '1', goodFor: { count: '5', unit: 'days' } },
      /let it last longer/,
    ],
    [{ kind: 'call', account: 'Anna', data: '123' }, 'The call’s bytes begin with 0x.'],
  ] as [Partial<ProposalDraft>, string | RegExp][])('%o is not enough', (change, words) => {
    expect(action(change)).toMatch(words)
  })

  test('only what is changed of how owners decide is proposed', () => {
    const { governance } = emptyProposal(vault, deployment)
    expect(action({ kind: 'governance', governance: { ...governance, quorum: '40' } })).toEqual({
      kind: 'governance',
      change: { quorumPercent: 40 },
    })
  })

  test('an offer is taken as it was signed; a sale has a price and an end', () => {
    const { order, signature } = offerUntil(6)
    expect(action({ kind: 'accept-offer', offerId: '0x06' })).toMatchObject({
      kind: 'accept-offer',
      offer: { order, signature },
    })
    expect(action({ kind: 'accept-offer' }, [])).toMatch(/Nobody offers/)
    const goodFor = { count: '10', unit: 'days' } as const
    expect(action({ kind: 'sell-machine', amount: '2.5', goodFor })).toEqual({
      kind: 'sell-machine',
      machineId: 7n,
      priceMinor: 2_500_000n,
      until: 864_000n,
      replaced: [],
    })
  })

  test('exact amounts in smallest units', () => {
    const draft = { kind: 'spend', account: 'bert', amount: '1.000001', purpose: 'oil' } as const
    expect(action(draft)).toEqual({
      kind: 'spend',
      to: BERT,
      amountMinor: 1_000_001n,
      purpose: 'oil',
    })
  })
})
