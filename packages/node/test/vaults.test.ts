import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineVaultAbi, testEuroAbi } from '@liquefy/abi'
import {
  activateMachine,
  authorizeAgreement,
  buy,
  buyShares,
  type Client,
  callsOfProposal,
  castVote,
  claimIncome,
  claimIncomeTo,
  createClient,
  createVault,
  delegateVotes,
  distributeIncome,
  executeProposal,
  type GovernedVault,
  makeOffer,
  type NewVault,
  offerBuyout,
  offersForVault,
  openAgreement,
  operatorSignature,
  type ProposedAction,
  payCredit,
  proposedCalls,
  proposeToOwners,
  queueProposal,
  refuseBuyout,
  registerMachine,
  send,
  setAllowed,
  tradeProblem,
  transferShares,
  type VaultSetup,
  validatedSales,
  type Wallet,
} from '@liquefy/client'
import { type Hex, privateKeyFromBytes, termsToJson } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { signIn } from './sign-in.ts'

const SLOW = 240_000
const WAIT = { timeout: 90_000 }

let dataDir: string
let node: RunningNode
let client: Client
let founder: Wallet
let anna: Wallet
let ben: Wallet
let cleo: Wallet

const walletOf = (index: number): Wallet => {
  const person = node.keys.people[index]
  if (!person) throw new Error(`no person ${index}`)
  return createWalletClient({
    account: person.account,
    chain: node.chain.publicClient.chain,
    transport: http(node.rpcUrl),
  })
}
const by = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const accountOf = (wallet: Wallet): Hex => wallet.account.address.toLowerCase() as Hex
const chainSeconds = async () => (await node.chain.publicClient.getBlock()).timestamp

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-vaults-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    settle: { minMinor: 2n ** 96n, maxAgeMs: 2 ** 31 - 1 },
    anchorIntervalMs: 2 ** 31 - 1,
    logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
  })
  client = createClient({ url: node.url })
  ;[founder, anna, ben, cleo] = [0, 1, 2, 3].map(walletOf) as [Wallet, Wallet, Wallet, Wallet]
}, SLOW)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

async function newMachine(): Promise<bigint> {
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...by(founder), key })
  await activateMachine({ ...by(founder), machineId })
  return machineId
}

const signedIn = async ({ account }: Wallet) => (await signIn(node, account)).client

const quickly = {
  votingDelaySeconds: 1,
  votingPeriodSeconds: 20,
  proposalThreshold: 1n,
  quorumPercent: 25,
  timelockSeconds: 1,
}

async function newVault(change: Partial<VaultSetup> = {}): Promise<NewVault> {
  const setup: VaultSetup = {
    name: 'Boat',
    symbol: 'BOAT',
    asset: node.deployment.asset.address,
    operator: founder.account.address,
    machineIds: [await newMachine()],
    founderShares: 0n,
    waterfall: { reserveTarget: 0n, fees: [] },
    ...change,
  }
  const made = await createVault({ ...by(founder), setup, governance: quickly })
  await node.idle()
  return made
}

const assetPaid = (from: Wallet, to: Hex, amount: bigint) =>
  send(by(from), {
    address: node.deployment.asset.address,
    abi: testEuroAbi,
    functionName: 'transfer',
    args: [to, amount],
  })

const claimableOnLedger = (vault: Hex, owner: Hex) =>
  node.chain.publicClient.readContract({
    address: vault,
    abi: machineVaultAbi,
    functionName: 'claimableOf',
    args: [owner],
    blockTag: 'pending',
  })

/** What API, statement and ledger say of every owner is the same, to the unit. */
async function expectEqualToLedger(vault: Hex, owners: readonly Wallet[]): Promise<void> {
  // One more block, so that the newest income's block is over.
  await assetPaid(founder, accountOf(founder), 0n)
  await node.idle()
  for (const owner of owners.map(accountOf)) {
    const [statement, portfolio, onLedger] = await Promise.all([
      client.ownerStatement(vault, owner),
      client.portfolio(owner),
      claimableOnLedger(vault, owner),
    ])
    expect(statement.balanceMinor).toBe(String(onLedger))
    expect(statement.lines.reduce((sum, { minor }) => sum + BigInt(minor), 0n)).toBe(onLedger)
    const holding = portfolio.holdings.find((one) => one.vault === vault)
    if (holding) expect(holding.claimableMinor).toBe(String(onLedger))
    else expect(onLedger).toBe(0n)
  }
}

describe('a machine that many own', () => {
  let made: NewVault
  let governed: GovernedVault

  test('shares are sold, and the vault stands in lists with its machine', {
    timeout: SLOW,
  }, async () => {
    const deadline = (await chainSeconds()) + 10_000n
    made = await newVault({
      founderShares: 10n,
      sale: { priceMinor: 1_000_000n, cap: 30n, goal: 20n, deadline },
      buyout: { minBps: 5_000, refusalBps: 5_000, delaySeconds: 3_600 },
      waterfall: {
        reserveTarget: 500n,
        lender: { account: cleo.account.address, outstanding: 300n },
        fees: [{ to: founder.account.address, bps: 250 }],
      },
    })
    governed = { ...made, deployment: node.deployment }
    const { vault } = made
    const sale = await client.vault(vault)
    expect(sale).toMatchObject({
      name: 'Boat',
      symbol: 'BOAT',
      phase: 'selling',
      supply: '10',
      ownerCount: 1,
      operator: accountOf(founder),
      compliance: { kind: 'open' },
      sale: { priceMinor: '1000000', cap: '30', goal: '20', sold: '0', state: 'open' },
      waterfall: { reserveTargetMinor: '500', lender: accountOf(cleo), outstandingMinor: '300' },
      governance: { votingDelaySeconds: 1, quorumPercent: 25, proposalThreshold: '1' },
      buyoutRules: { minBps: 5_000, refusalBps: 5_000, delaySeconds: 3_600 },
      buyout: null,
    })
    expect(sale.machines.map(({ held }) => held)).toEqual([true])
    const asset = node.deployment.asset.address
    const buy = (wallet: Wallet, shares: bigint) =>
      buyShares({ ...by(wallet), vault, asset, shares, priceMinor: 1_000_000n })
    await buy(anna, 7n)
    await buy(ben, 23n)
    await node.idle()
    const live = await client.vault(vault)
    expect(live).toMatchObject({ phase: 'live', supply: '40', ownerCount: 3 })
    expect(live.sale).toMatchObject({ sold: '30', state: 'succeeded' })
    expect(live.credits).toEqual([{ account: accountOf(founder), minor: '30000000' }])
    await payCredit({ ...by(founder), vault })
    await node.idle()
    expect((await client.vault(vault)).credits).toEqual([])
    const { vaults } = await client.vaults({ machineId: live.machines[0]?.machineId ?? '' })
    expect(vaults.map((one) => one.vault)).toEqual([vault])
    const { owners } = await client.vaultOwners(vault, { limit: 2 })
    expect(owners.map(({ account, shares }) => [account, shares])).toEqual([
      [accountOf(ben), '23'],
      [accountOf(founder), '10'],
    ])
    await expect(client.vault(accountOf(anna))).rejects.toMatchObject({ code: 'VAULT_UNKNOWN' })
  })

  test('income goes through the waterfall; statements equal the ledger to the unit, whoever sold meanwhile', {
    timeout: SLOW,
  }, async () => {
    const { vault } = made
    await assetPaid(cleo, vault, 1_003n)
    await node.idle()
    expect((await client.vault(vault)).undistributedMinor).toBe('1003')
    await distributeIncome({ ...by(anna), vault })
    await expectEqualToLedger(vault, [founder, anna, ben, cleo])
    const state = await client.vault(vault)
    // 500 reserve, 300 lender, 203 left: 2.5% of it is 5, the owners have 198.
    expect(state).toMatchObject({ reserveMinor: '500', incomeMinor: '1003', ownersMinor: '198' })
    expect(state.waterfall.outstandingMinor).toBe('0')
    expect(state.credits).toEqual([
      { account: accountOf(cleo), minor: '300' },
      { account: accountOf(founder), minor: '5' },
    ])

    await transferShares({ ...by(ben), vault, to: cleo.account.address, shares: 3n })
    for (const amount of [1n, 7n, 39n, 101n, 13n]) {
      await assetPaid(cleo, vault, amount)
      await distributeIncome({ ...by(anna), vault })
    }
    await expectEqualToLedger(vault, [founder, anna, ben, cleo])
    await claimIncome({ ...by(ben), vault, account: anna.account.address })
    await claimIncomeTo({ ...by(ben), vault, to: cleo.account.address })
    await transferShares({ ...by(ben), vault, to: anna.account.address, shares: 20n })
    await assetPaid(cleo, vault, 1_000_003n)
    await distributeIncome({ ...by(anna), vault })
    await expectEqualToLedger(vault, [founder, anna, ben, cleo])

    const statement = await client.ownerStatement(vault, accountOf(ben))
    expect(statement.lines.map(({ kind }) => kind)).toEqual([
      'bought',
      'income',
      'sent',
      ...Array(5).fill('income'),
      'claim',
      'sent',
    ])
    expect(statement.lines.at(-2)).toMatchObject({ other: accountOf(cleo), shares: '20' })
    const page = await client.ownerStatement(vault, accountOf(ben), { offset: 8, limit: 1 })
    expect(page.lines).toEqual(statement.lines.slice(8, 9))
    expect(page.nextOffset).toBe(9)

    const csv = await client.ownerStatementCsv(vault, accountOf(ben))
    expect(csv.name).toMatch(/^statement-.*\.csv$/)
    const rows = (await csv.text()).trim().split('\r\n')
    expect(rows).toHaveLength(1 + statement.lines.length)
    expect(rows[0]).toContain('balance (tEUR)')

    const first = await client.vaultIncome(vault, { limit: 2 })
    const rest = await client.vaultIncome(vault, { before: first.before ?? '' })
    expect(first.incomes[0]?.minor).toBe('1000003')
    expect([...first.incomes, ...rest.incomes]).toHaveLength(7)
    expect(rest.before).toBeNull()
    for (const one of [...first.incomes, ...rest.incomes]) {
      const parts = [one.reserveMinor, one.lenderMinor, one.feesMinor, one.ownersMinor]
      expect(parts.reduce((sum, part) => sum + BigInt(part), 0n)).toBe(BigInt(one.minor))
    }
    const months = await client.vaultMonths(vault)
    expect(months.reduce((sum, { minor }) => sum + BigInt(minor), 0n)).toBe(1_001_167n)
    const claimable = (await client.vault(vault)).claimableMinor
    const each = await Promise.all(
      [founder, anna, ben, cleo].map((one) => claimableOnLedger(vault, accountOf(one))),
    )
    expect(claimable).toBe(String(each.reduce((sum, minor) => sum + minor, 0n)))
  })

  test('owners vote: each state, the effect in words, and nothing sooner than the timelock lets it', {
    timeout: SLOW,
  }, async () => {
    const { vault, governor } = made
    await delegateVotes({ ...by(cleo), vault, to: ben.account.address })
    await node.idle()
    const actions: ProposedAction[] = [
      { kind: 'spend', to: cleo.account.address, amountMinor: 200n, purpose: 'new engine' },
      { kind: 'suspend', machineId: 1n, reason: 'engine is out' },
      { kind: 'governance', change: { quorumPercent: 30 } },
      { kind: 'call', target: node.deployment.asset.address, value: 0n, data: '0x12345678' },
    ]
    const calls = proposedCalls(governed, actions.slice(0, 3))
    const description = '# A new engine\n\nThe old one smokes.'
    const proposalId = await proposeToOwners({ ...by(anna), governor, calls, description })
    await node.idle()
    const shown = await client.vaultProposal(vault, proposalId)
    expect(shown.title).toBe('A new engine')
    expect(shown.description).toBe(description)
    expect(shown.effects.map(({ kind, severity }) => [kind, severity])).toEqual([
      ['spend', 'usual'],
      ['machine-state', 'usual'],
      ['governance', 'grave'],
    ])
    expect(shown.effects[0]?.words).toContain('0.0002 tEUR out of the reserve')
    expect(shown.effects[0]?.words).toContain('new engine')

    const stateOf = async () => {
      // A block, so that the ledger's time goes on.
      await assetPaid(founder, accountOf(founder), 0n)
      await node.idle()
      return (await client.vaultProposal(vault, proposalId)).state
    }
    await expect.poll(stateOf, WAIT).toBe('active')
    const waiting = (await client.portfolio(accountOf(ben))).waitingVotes
    expect(waiting.map(({ weight }) => weight)).toEqual(['3'])
    await castVote({ ...by(anna), governor, proposalId, support: 'for', reason: 'it smokes' })
    await castVote({ ...by(ben), governor, proposalId, support: 'against' })
    await node.idle()
    const voted = await client.vaultProposal(vault, proposalId)
    expect(voted).toMatchObject({
      for: '27',
      against: '3',
      abstain: '0',
      voteCount: 2,
      quorum: '10',
    })
    expect(voted.votes.at(-1)).toMatchObject({ voter: accountOf(anna), reason: 'it smokes' })
    expect((await client.portfolio(accountOf(ben))).waitingVotes).toEqual([])
    await expect.poll(stateOf, WAIT).toBe('succeeded')
    const proposal = callsOfProposal(voted)
    await expect(executeProposal({ ...by(ben), governor, proposal })).rejects.toThrow()
    await queueProposal({ ...by(ben), governor, proposal })
    await expect.poll(stateOf, WAIT).toBe('ready')
    await executeProposal({ ...by(ben), governor, proposal })
    expect(await stateOf()).toBe('executed')
    const after = await client.vault(vault)
    expect(after).toMatchObject({ reserveMinor: '300', openProposals: 0 })
    expect(after.governance.quorumPercent).toBe(30)

    const strange = await proposeToOwners({
      ...by(anna),
      governor,
      calls: proposedCalls(governed, actions.slice(3)),
      description: 'Trust me',
    })
    await node.idle()
    const [effect] = (await client.vaultProposal(vault, strange)).effects
    expect(effect).toMatchObject({ kind: 'unknown', severity: 'unknown' })
    expect((await client.vaultProposals(vault)).proposals.map((one) => one.title)).toEqual([
      'Trust me',
      'A new engine',
    ])
    await expect(client.vaultProposal(vault, '7')).rejects.toMatchObject({
      code: 'VAULT_PROPOSAL_UNKNOWN',
    })
  })

  test('the operator sees what is proposed to his vault, and opens it with his signature; nobody else does', {
    timeout: SLOW,
  }, async () => {
    const { vault } = made
    const machineId = BigInt((await client.vault(vault)).machines[0]?.machineId ?? 0)
    const terms = {
      ...termsOf(machineId, { deployment: node.deployment, payer: cleo, payee: founder }),
      payee: vault,
    }
    const [offering, operator, stranger] = await Promise.all([
      signedIn(cleo),
      signedIn(founder),
      signedIn(anna),
    ])
    const { proposalId } = await offering.propose({
      terms: termsToJson(terms),
      rules: [RULE],
      signature: await authorizeAgreement({ ...by(cleo), terms }),
      fundMinor: '0',
      message: 'a charter',
    })
    expect((await operator.proposals()).map((one) => one.proposalId)).toEqual([proposalId])
    expect(await stranger.proposals()).toEqual([])
    await expect(stranger.proposal(proposalId)).rejects.toMatchObject({ code: 'PROPOSAL_UNKNOWN' })
    const [offer] = (await operator.proposal(proposalId)).offers
    const payerSignature = offer?.signature ?? '0x'
    const openBy = async (wallet: Wallet) =>
      openAgreement({
        ...by(founder),
        terms,
        payerSignature,
        payeeSignature: await operatorSignature({ ...by(wallet), terms }),
      })
    await expect(openBy(anna)).rejects.toMatchObject({ errorName: 'PartyNotAuthorized' })
    expect(await openBy(founder)).toBe(proposalId)
    await node.idle()
    expect((await operator.proposals())[0]?.state).toBe('accepted')
  })

  test('who may hold shares stands on the list of the operator', { timeout: SLOW }, async () => {
    const { allowLists } = node.deployment.cooperation ?? {}
    const { vault } = await newVault({ founderShares: 5n, compliance: undefined, name: 'Closed' })
    const list = (wallet: Wallet, allowed: boolean) =>
      setAllowed({ ...by(wallet), vault, accounts: [accountOf(ben), accountOf(anna)], allowed })
    await expect(list(anna, true)).rejects.toMatchObject({ errorName: 'NotVaultOperator' })
    await list(founder, true)
    await setAllowed({ ...by(founder), vault, accounts: [accountOf(anna)], allowed: false })
    await node.idle()
    expect((await client.vaultAllowed(vault)).accounts).toEqual([accountOf(ben)])
    expect(allowLists).toMatch(/^0x/)
  })

  test('a buy-out that the others refuse fails, and the offerer has his deposit back', {
    timeout: SLOW,
  }, async () => {
    const { vault } = made
    const asset = node.deployment.asset.address
    await offerBuyout({ ...by(anna), vault, asset, priceMinor: 5_000n })
    await node.idle()
    // Anna has 27 of 40; the others' 13 refuse with more than half: 7.
    expect((await client.vault(vault)).buyout).toMatchObject({
      offer: '1',
      offerer: accountOf(anna),
      depositMinor: '65000',
      refusalLimit: '6',
      state: 'stands',
    })
    await refuseBuyout({ ...by(founder), vault, shares: 2n })
    await node.idle()
    const { holdings } = await client.portfolio(accountOf(founder))
    expect(holdings.find((one) => one.vault === vault)?.refused).toBe('2')
    await refuseBuyout({ ...by(founder), vault, shares: 5n })
    await node.idle()
    const refused = await client.vault(vault)
    expect(refused.buyout).toMatchObject({ state: 'refused', refused: '7' })
    expect(refused.credits).toContainEqual({ account: accountOf(anna), minor: '65000' })
    await expectEqualToLedger(vault, [founder, anna, ben, cleo])
  })
})

test('owners trade by vote: an offer is accepted, a machine is sold, and the price is theirs to claim', {
  timeout: SLOW,
}, async () => {
  const machineIds = [await newMachine(), await newMachine()]
  const [wanted, sold] = machineIds as [bigint, bigint]
  const { vault, governor, timelock } = await newVault({ founderShares: 40n, machineIds })
  await transferShares({ ...by(founder), vault, to: anna.account.address, shares: 10n })
  const { deployment } = node
  const good = { kind: 'machine', machineId: wanted } as const
  const lasting = { priceMinor: 4_000_000n, lastsSeconds: 864_000n }
  const made = await makeOffer({ ...by(ben), good, ...lasting })
  await client.postOrder(made)
  const { orders } = await client.marketOrders({ side: 'offer', machineId: String(wanted) })
  const [offer] = offersForVault(orders, await client.vault(vault), [])
  if (!offer) throw new Error('no offer')
  const accept: ProposedAction = { kind: 'accept-offer', offer }
  const sell: ProposedAction = {
    kind: 'sell-machine',
    machineId: sold,
    priceMinor: 8_000_000n,
    until: (await chainSeconds()) + 864_000n,
  }
  const nowMs = Number(await chainSeconds()) * 1_000
  const known = await client.vault(vault)
  expect([accept, sell].map((one) => tradeProblem(one, known, { deployment, nowMs }))).toEqual([
    undefined,
    undefined,
  ])
  const proposalId = await proposeToOwners({
    ...by(founder),
    governor,
    calls: proposedCalls({ vault, governor, timelock, deployment }, [accept, sell]),
    description: 'Sell all',
  })
  await node.idle()
  const stateOf = async () => {
    await assetPaid(founder, accountOf(founder), 0n)
    await node.idle()
    return (await client.vaultProposal(vault, proposalId)).state
  }
  await expect.poll(stateOf, WAIT).toBe('active')
  await castVote({ ...by(founder), governor, proposalId, support: 'for' })
  await expect.poll(stateOf, WAIT).toBe('succeeded')
  const told = await client.vaultProposal(vault, proposalId)
  expect(told.effects.map(({ kind, severity }) => [kind, severity])).toEqual([
    ['machine-transfer', 'grave'],
    ['market', 'grave'],
    ['machine-transfer', 'grave'],
    ['market', 'grave'],
  ])
  expect(told.effects[1]?.words).toContain('the vault gets 4 tEUR and gives machine')
  const proposal = callsOfProposal(told)
  await queueProposal({ ...by(cleo), governor, proposal })
  const [sale] = await validatedSales({ ...by(cleo), proposal: told })
  if (!sale) throw new Error('no sale')
  await expect(client.postOrder(sale)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
  await expect.poll(stateOf, WAIT).toBe('ready')
  await executeProposal({ ...by(cleo), governor, proposal })
  await node.idle()
  expect((await client.machine(String(wanted))).owner).toBe(accountOf(ben))

  const posted = await client.postOrder(sale)
  expect(posted).toMatchObject({ maker: vault, state: 'open', priceMinor: '8000000' })
  await buy({ ...by(cleo), ...posted })
  await node.idle()
  expect((await client.machine(String(sold))).owner).toBe(accountOf(cleo))
  expect((await client.vault(vault)).undistributedMinor).toBe('12000000')
  await distributeIncome({ ...by(anna), vault })
  await expectEqualToLedger(vault, [founder, anna])
  const claimable = [founder, anna].map((one) => claimableOnLedger(vault, accountOf(one)))
  expect(await Promise.all(claimable)).toEqual([9_000_000n, 3_000_000n])
})
