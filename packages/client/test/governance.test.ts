import { type CallContext, explainProposal } from '@liquefy/protocol'
import { encodeFunctionData, parseAbi } from 'viem'
import { expect, test } from 'vitest'
import { type Hex, type ProposedAction, proposedCalls } from '../src/index.ts'

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
const governed = {
  vault: context.vault,
  governor: context.governor,
  timelock: context.timelock,
  deployment: { registry: context.registry, clearingHouse: context.clearingHouse },
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
