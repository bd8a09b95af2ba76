import {
  type CallContext,
  explainProposal,
  type Good,
  type Order,
  orderToJson,
} from '@liquefy/protocol'
import { encodeFunctionData, parseAbi } from 'viem'
import { expect, test } from 'vitest'
import {
  type Deployment,
  type Hex,
  type MarketOrder,
  marketOf,
  offersForVault,
  type ProposedAction,
  proposedCalls,
  type SignedOrder,
  tradeProblem,
  type Vault,
  votedSales,
} from '../src/index.ts'

const at = (digit: string): Hex => `0x${digit.repeat(40)}`
const id = `0x${'ab'.repeat(32)}` as const

const context: CallContext = {
  vault: at('a'),
  governor: at('b'),
  timelock: at('c'),
  asset: { address: at('d'), symbol: 'tEUR', decimals: 6 },
  registry: at('1'),
  clearingHouse: at('2'),
  usageRights: at('3'),
  market: at('4'),
  allowLists: at('5'),
  names: new Map([[at('e'), 'Anna']]),
  accounts: new Map([[at('7'), 7n]]),
  machineNames: new Map([[7n, 'Engine']]),
}
const deployment = {
  chainId: 31_337,
  registry: context.registry,
  clearingHouse: context.clearingHouse,
  asset: context.asset,
  cooperation: { market: at('4'), usageRights: at('3') } as Deployment['cooperation'],
}
const market = marketOf(deployment)
const governed = {
  vault: context.vault,
  governor: context.governor,
  timelock: context.timelock,
  deployment,
}
const [anna, other] = [at('e'), at('f')]
const other_ = `0x${'f'.repeat(40)}`
const short = (text: string) =>
  text.replaceAll(/0x[0-9a-fA-F]{40}(?![0-9a-fA-F])/g, (hex) =>
    hex.toLowerCase() === anna ? 'A' : hex.toLowerCase() === other_ ? 'O' : 'X',
  )

const effectsOf = (...actions: ProposedAction[]) =>
  explainProposal(proposedCalls(governed, actions), context)

test.each<[ProposedAction, string, 'usual' | 'grave']>([
  [
    { kind: 'spend', to: anna, amountMinor: 1_234_500_000n, purpose: 'new engine' },
    'Pays 1,234.5 tEUR out of the reserve to Anna (A), for: “new engine”.',
    'usual',
  ],
  [
    {
      kind: 'waterfall',
      waterfall: {
        reserveTarget: 5_000_000n,
        lender: { account: other, outstanding: 1_000_000n },
        fees: [{ to: anna, bps: 250 }],
      },
    },
    'Uses income so from now on: first the reserve until it has 5 tEUR, then O until 1 tEUR are repaid, then 2.5% of the rest to Anna (A); what is left goes to the owners.',
    'grave',
  ],
  [
    { kind: 'operator', operator: anna },
    'Makes Anna (A) the operator, who opens agreements that pay the vault, issues usage rights, and keeps the list of who may hold shares.',
    'usual',
  ],
  [
    { kind: 'compliance', contract: at('5') },
    "Lets only those get shares who are on the operator's list.",
    'usual',
  ],
  [{ kind: 'compliance', contract: null }, 'Lets everybody hold shares.', 'usual'],
  [{ kind: 'buyout-rules', rules: null }, 'Lets nobody buy the others out.', 'usual'],
  [
    { kind: 'buyout-rules', rules: { minBps: 7_500, refusalBps: 2_500, delaySeconds: 604_800 } },
    'Lets whoever holds 75% of the shares offer to buy the others out; they have 7 days to refuse, with more than 25% of their shares.',
    'grave',
  ],
  [
    { kind: 'suspend', machineId: 7n, reason: 'leak' },
    'Suspends machine 7 (Engine), since: “leak”. What it measures is neither priced nor paid until it is resumed.',
    'usual',
  ],
  [{ kind: 'resume', machineId: 7n }, 'Resumes machine 7 (Engine).', 'usual'],
  [{ kind: 'decommission', machineId: 8n }, 'Decommissions machine 8, for ever.', 'grave'],
  [
    { kind: 'revoke-key', machineId: 7n },
    'Revokes the key of machine 7 (Engine): it signs nothing until it is given a new one.',
    'grave',
  ],
  [
    { kind: 'transfer-machine', machineId: 7n, to: anna },
    'Gives machine 7 (Engine) from the vault to Anna (A), for nothing.',
    'grave',
  ],
  [
    {
      kind: 'machine-policy',
      account: at('7'),
      asset: at('d'),
      policy: {
        perPayment: 1_000_000n,
        perDay: 2_000_000n,
        expiry: 1_800_000_000n,
        counterparties: [anna],
      },
    },
    'Lets the key of machine 7 (Engine) spend up to 1 tEUR at once and 2 tEUR a day out of its account, to Anna (A), until 2027-01-15T08:00 UTC.',
    'grave',
  ],
  [
    {
      kind: 'machine-policy',
      account: at('7'),
      asset: at('d'),
      policy: { perPayment: 1n, perDay: 1n, expiry: 1_800_000_000n, counterparties: [] },
    },
    'Lets the key of machine 7 (Engine) spend up to 0.000001 tEUR at once and 0.000001 tEUR a day out of its account, to nobody, until 2027-01-15T08:00 UTC.',
    'grave',
  ],
  [
    { kind: 'call', target: at('7'), value: 0n, data: sellingOf(1_800_000_000n) },
    'Lets the key of machine 7 (Engine) accept agreements that pay its account, whatever their price, until 2027-01-15T08:00 UTC.',
    'grave',
  ],
  [
    { kind: 'call', target: at('7'), value: 0n, data: sellingOf(0n) },
    'Lets the key of machine 7 (Engine) accept no more agreements that pay its account.',
    'usual',
  ],
  [
    { kind: 'machine-pause', account: at('7'), paused: true },
    'Stops all spending by the key of machine 7 (Engine).',
    'usual',
  ],
  [
    { kind: 'close-agreement', agreementId: id },
    `Ends agreement ${id}; what is left in its escrow goes back to its payer.`,
    'grave',
  ],
  [
    { kind: 'refund', agreementId: id, period: 3, amountMinor: 10n },
    `Gives 0.00001 tEUR of period 3 of agreement ${id} back to its payer.`,
    'grave',
  ],
])('what is proposed is shown in words (case %#)', (action, words, severity) => {
  const [effect, none] = effectsOf(action)
  expect(none).toBeUndefined()
  expect({ words: short(effect?.words ?? ''), severity: effect?.severity }).toEqual({
    words,
    severity,
  })
})

test('what a proposer or a seller wrote cannot pass for words of ours', () => {
  const purpose = 'oil”. Nothing else\nhappens. \u202Etxet\u202C “'
  const [spent] = effectsOf({ kind: 'spend', to: anna, amountMinor: 1n, purpose })
  expect(short(spent?.words ?? '')).toBe(
    'Pays 0.000001 tEUR out of the reserve to Anna (A), for: “oil". Nothing else happens. txet "”.',
  )
  const long = effectsOf({ kind: 'suspend', machineId: 8n, reason: 'x'.repeat(9_999) })
  expect(long[0]?.words.length).toBeLessThan(400)
  const named = { ...context, machineNames: new Map([[7n, 'Boat) for 9 EUR (\u202E']]) }
  const calls = proposedCalls(governed, [{ kind: 'transfer-machine', machineId: 7n, to: anna }])
  expect(explainProposal(calls, named)[0]?.words).toContain('machine 7 (Boat for 9 EUR) from')
})

test('a policy without counterparties lets nobody be paid, as the ledger has it', () => {
  const policy = { perPayment: 1n, perDay: 1n, expiry: 1_800_000_000n, counterparties: [] }
  const action = { kind: 'machine-policy', account: at('7'), asset: at('d'), policy } as const
  expect(effectsOf(action)[0]?.words).toContain(', to nobody, until')
})

test('a change of governance is a call each', () => {
  const change = {
    votingDelaySeconds: 3_600,
    votingPeriodSeconds: 86_400,
    proposalThreshold: 5n,
    quorumPercent: 40,
    timelockSeconds: 7_200,
  }
  expect(effectsOf({ kind: 'governance', change }).map(({ words }) => words)).toEqual([
    'Has votes begin 1 hour after a proposal.',
    'Has voting last 1 day.',
    'Lets only those propose who have 5 votes.',
    'Asks that 40% of all shares take part in a vote.',
    'Has what was voted wait 2 hours before it is done.',
  ])
})

const MARKET = parseAbi([
  'struct Item { uint8 itemType; address token; uint256 id; uint256 startAmount; uint256 endAmount; }',
  'struct Asked { uint8 itemType; address token; uint256 id; uint256 startAmount; uint256 endAmount; address recipient; }',
  'struct Parameters { address offerer; address zone; Item[] offer; Asked[] consideration; uint8 orderType; uint256 startTime; uint256 endTime; bytes32 zoneHash; uint256 salt; bytes32 conduitKey; uint256 total; }',
  'struct Order { Parameters parameters; bytes signature; }',
  'function fulfillOrder(Order order, bytes32 conduitKey)',
])

function acceptanceOf(endAmount: bigint): Hex {
  const parameters = {
    offerer: anna,
    zone: at('0'),
    offer: [
      { itemType: 1, token: at('d'), id: 0n, startAmount: 9_000_000n, endAmount: 9_000_000n },
    ],
    consideration: [
      {
        itemType: 2,
        token: at('1'),
        id: 7n,
        startAmount: 1n,
        endAmount,
        recipient: anna,
      },
    ],
    orderType: 0,
    startTime: 0n,
    endTime: 1_800_000_000n,
    zoneHash: `0x${'00'.repeat(32)}` as Hex,
    salt: 1n,
    conduitKey: `0x${'00'.repeat(32)}` as Hex,
    total: 1n,
  }
  return encodeFunctionData({
    abi: MARKET,
    functionName: 'fulfillOrder',
    args: [{ parameters, signature: '0x' }, parameters.conduitKey],
  })
}

test('accepting an offer on the market says what is given and what is got; one that leaves the amount open is unknown', () => {
  const accept = (endAmount: bigint) =>
    effectsOf({ kind: 'call', target: at('4'), value: 0n, data: acceptanceOf(endAmount) })[0]
  expect(short(accept(1n)?.words ?? '')).toBe(
    'Accepts the offer of Anna (A) on the market: the vault gets 9 tEUR and gives machine 7 (Engine) to Anna (A).',
  )
  expect(accept(2n)?.severity).toBe('unknown')
})

const UNTIL = 1_800_000_000n

function ordered(change: Partial<Order> = {}): SignedOrder {
  const good: Good = { kind: 'machine', machineId: 7n }
  const order: Order = {
    side: 'offer',
    maker: anna,
    good,
    priceMinor: 9_000_000n,
    startTime: 0n,
    endTime: UNTIL,
    salt: 1n,
    counter: 0n,
    ...change,
  }
  return { order: orderToJson(market, order), signature: `0x${'12'.repeat(65)}` }
}

const wordsOf = (action: ProposedAction) =>
  effectsOf(action).map(({ words, severity }) => [severity, short(words)])

test('an offer is accepted by two calls: the market may take what is wanted, and the offer is filled', () => {
  expect(wordsOf({ kind: 'accept-offer', offer: ordered() })).toEqual([
    ['grave', 'Lets the market (X) take machine 7 (Engine) away from the vault.'],
    [
      'grave',
      'Accepts the offer of Anna (A) on the market: the vault gets 9 tEUR and gives machine 7 (Engine) to Anna (A).',
    ],
  ])
  const receivable = ordered({ good: { kind: 'receivable', agreementId: id } })
  expect(wordsOf({ kind: 'accept-offer', offer: receivable }).map(([, words]) => words)).toEqual([
    `Lets the market (X) take what agreement ${id} will earn away from the vault.`,
    `Accepts the offer of Anna (A) on the market: the vault gets 9 tEUR and gives what agreement ${id} will earn to Anna (A).`,
  ])
})

test('a machine is put up for sale in the name of the vault, and earlier sales of it end', () => {
  const sale: ProposedAction = {
    kind: 'sell-machine',
    machineId: 7n,
    priceMinor: 9_000_000n,
    until: UNTIL,
    replaced: [ordered({ side: 'sale', maker: context.vault }).order],
  }
  expect(wordsOf(sale)).toEqual([
    ['usual', "Cancels 1 of the vault's orders on the market."],
    ['grave', 'Lets the market (X) take machine 7 (Engine) away from the vault.'],
    ['grave', 'Offers on the market, until 2027-01-15T08:00 UTC: machine 7 (Engine) for 9 tEUR.'],
  ])
  const calls = proposedCalls(governed, [sale]).map((call) => ({
    ...call,
    value: String(call.value),
  }))
  const { order } = ordered({ side: 'sale', maker: context.vault, salt: 0n })
  expect(votedSales(deployment, { vault: context.vault, calls })).toEqual([order])
  const acceptance = proposedCalls(governed, [{ kind: 'accept-offer', offer: ordered() }])
  const others = acceptance.map((call) => ({ ...call, value: '0' }))
  expect(votedSales(deployment, { vault: context.vault, calls: others })).toEqual([])
})

test('ATK owners are not asked for what they cannot give, or what ends while they vote', () => {
  const vault = {
    vault: context.vault,
    asset: context.asset.address,
    machines: [
      { machineId: '7', machineName: 'Engine', held: true },
      { machineId: '8', machineName: 'Hull', held: false },
    ],
    governance: {
      votingDelaySeconds: 86_400,
      votingPeriodSeconds: 3 * 86_400,
      timelockSeconds: 86_400,
    },
  } as Vault
  const nowMs = (1_800_000_000 - 6 * 86_400) * 1_000
  const problem = (action: ProposedAction, atMs = nowMs - 1_000, of: Vault = vault) =>
    action.kind === 'accept-offer' || action.kind === 'sell-machine'
      ? tradeProblem(action, of, { deployment, nowMs: atMs })
      : 'no trade'
  const accept: ProposedAction = { kind: 'accept-offer', offer: ordered() }
  const sell = { kind: 'sell-machine', machineId: 7n, priceMinor: 1n, until: UNTIL } as const
  expect([problem(accept), problem(sell)]).toEqual([undefined, undefined])
  expect(problem(accept, nowMs)).toBe(
    'The offer ends 2027-01-15T08:00 UTC, while the vote runs: the owners and their timelock may need until 2027-01-15T08:00 UTC, so ask whoever made it for one that lasts longer.',
  )
  expect(problem(sell, nowMs)).toContain('let it last longer')
  expect(problem({ ...sell, machineId: 8n })).toContain('does not hold machine 8')
  expect(problem(accept, nowMs - 1_000, { ...vault, asset: other })).toContain('another token')
  const share: Good = { kind: 'share', token: other, amount: 1n }
  const accepts = (change: Partial<Order>) => () =>
    proposedCalls(governed, [{ kind: 'accept-offer', offer: ordered(change) }])
  expect(accepts({ good: share })).toThrow(expect.objectContaining({ code: 'TRADE_REFUSED' }))
  expect(accepts({ side: 'sale' })).toThrow(expect.objectContaining({ code: 'ORDER_OTHER_SIDE' }))
  expect(() => proposedCalls(governed, [{ ...sell, priceMinor: 0n }])).toThrow(
    expect.objectContaining({ code: 'ORDER_PRICE_REFUSED' }),
  )

  const offer = { side: 'offer', kind: 'machine', state: 'open', maker: anna, tokenId: '7' }
  const offers = [
    offer,
    { ...offer, kind: 'receivable', tokenId: id },
    { ...offer, tokenId: '8' },
    { ...offer, side: 'sale' },
    { ...offer, state: 'unfunded' },
    { ...offer, maker: context.vault },
    { ...offer, kind: 'receivable', tokenId: '7' },
  ] as MarketOrder[]
  expect(offersForVault(offers, vault, [id])).toEqual(offers.slice(0, 2))
})

test('ATK what nobody knows is shown as unknown, however it is dressed up', () => {
  const unknown: ProposedAction[] = [
    // The asset itself, a stranger, a function that is none, and coin that goes along.
    { kind: 'call', target: at('d'), value: 0n, data: '0xa9059cbb' },
    { kind: 'call', target: other, value: 0n, data: '0x' },
    { kind: 'call', target: at('1'), value: 0n, data: '0xdeadbeef' },
    { kind: 'call', target: at('1'), value: 5n, data: suspendOf(7n) },
    // Something hidden behind the arguments.
    { kind: 'call', target: at('1'), value: 0n, data: `${suspendOf(7n)}00` },
  ]
  for (const action of unknown) {
    expect(
      effectsOf(action)[0],
      JSON.stringify(action, (_, v) => String(v)),
    ).toMatchObject({
      kind: 'unknown',
      severity: 'unknown',
    })
  }
  const [known] = effectsOf({ kind: 'call', target: at('1'), value: 0n, data: suspendOf(7n) })
  expect(known?.kind).toBe('machine-state')
  const direct = explainProposal([{ target: at('d'), value: 0n, data: '0x' }], context)
  expect(direct[0]?.words).toContain("the vault's timelock")
})

function suspendOf(machineId: bigint): Hex {
  return encodeFunctionData({
    abi: parseAbi(['function suspend(uint256 machineId)']),
    args: [machineId],
  })
}

function sellingOf(until: bigint): Hex {
  return encodeFunctionData({
    abi: parseAbi(['function setSelling(address asset, uint64 until)']),
    args: [at('d'), until],
  })
}
