import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearingHouseAbi, machineAccountAbi, machineRegistryAbi, seaportAbi } from '@liquefy/abi'
import {
  acceptOffer,
  accountAddress,
  activateMachine,
  approve as approveEscrow,
  authorizeAgreement,
  buy,
  type Client,
  callsOfProposal,
  cancelAllOrders,
  cancelHours,
  cancelOrders,
  castVote,
  claimIncome,
  createAccount,
  createVault,
  type Deployment,
  distributeIncome,
  executeProposal,
  fund,
  type GovernanceSetup,
  type Hex,
  issueRight,
  listForSale,
  makeOffer,
  marketOf,
  openAgreement,
  proposedCalls,
  proposeToOwners,
  queueProposal,
  registerMachine,
  replacedOrders,
  type SignedOrder,
  seenGood,
  send,
  setAllowed,
  setCalendarZone,
  setSpendingPolicy,
  suspendMachine,
  transferMachine,
  type VaultSetup,
  type Wallet,
} from '@liquefy/client'
import {
  type Good,
  type Market,
  type MeterValue,
  meterValueDigest,
  mondayOf,
  type Order,
  orderDigest,
  orderToJson,
  type PrivateKey,
  parseHours,
  parseOrder,
  privateKeyFromBytes,
  signTypedDigest,
  wallHourAt,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import pino from 'pino'
import solc from 'solc'
import { createWalletClient, encodeFunctionData, erc20Abi, http, parseEventLogs } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { signIn } from './sign-in.ts'

const EURO = 1_000_000n
const DAY = 86_400n
const PRICE = 250n * EURO

let dataDir: string
let node: RunningNode
let aheadMs = 0
let deployment: Deployment
let seller: Person
let buyer: Person
let payer: Person

interface Person {
  account: PrivateKeyAccount
  wallet: Wallet
  address: Hex
  client: Client
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-market-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    clock: { nowMs: () => Date.now() + aheadMs },
    logger: pino({ level: 'silent' }),
  })
  deployment = node.deployment
  payer = await person('Nordmühle GmbH')
  seller = await person('Silowerk AG')
  buyer = await person('City council')
}, 300_000)

afterAll(async () => {
  await node.stop()
  await rm(dataDir, { recursive: true, force: true })
})

async function person(name: string): Promise<Person> {
  const account = node.keys.people.find((one) => one.name === name)?.account
  if (!account) throw new Error(`no ${name}`)
  const wallet = createWalletClient({
    account,
    chain: node.chain.publicClient.chain,
    transport: http(node.rpcUrl),
  })
  const { client, address } = await signIn(node, account)
  return { account, wallet, address, client }
}

const action = ({ wallet }: Person, of: Deployment = deployment) => ({
  deployment: of,
  publicClient: node.chain.publicClient,
  wallet,
})

const balance = (who: Hex, token: Hex = deployment.asset.address) =>
  node.chain.publicClient.readContract({
    address: token,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [who],
  })

const ownerOf = async (token: Hex, tokenId: bigint) => {
  const owner = await node.chain.publicClient.readContract({
    address: token,
    abi: machineRegistryAbi,
    functionName: 'ownerOf',
    args: [tokenId],
  })
  return owner.toLowerCase()
}

async function newMachine(owner: Person = seller): Promise<{ machineId: bigint; key: PrivateKey }> {
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...action(owner), key })
  await activateMachine({ ...action(owner), machineId })
  await node.idle()
  return { machineId, key }
}

/** Signs a sale, having approved it. */
const sell = (good: Good, priceMinor = PRICE, of: Deployment = deployment) =>
  listForSale({ ...action(seller, of), good, priceMinor, lastsSeconds: DAY })

const post = (signed: SignedOrder) => seller.client.postOrder(signed)

/** What the order would be were it signed over something else. */
async function signedAs(who: Person, change: Partial<Order>, base: SignedOrder, of?: Market) {
  const market = marketOf(deployment)
  const read = parseOrder(market, base.order)
  if (!read.ok) throw new Error(read.message)
  const order = { ...read.order, ...change }
  const signature = await who.account.sign({ hash: orderDigest(of ?? market, order) })
  return { order: orderToJson(market, order), signature }
}

const QUICKLY: GovernanceSetup = {
  votingDelaySeconds: 1,
  votingPeriodSeconds: 20,
  proposalThreshold: 1n,
  quorumPercent: 25,
  timelockSeconds: 1,
}

/** A vault of a machine, whose shares are all the seller's. */
async function newVault(founderShares: bigint, change: Partial<VaultSetup> = {}) {
  const { machineId } = await newMachine()
  const setup: VaultSetup = {
    name: 'Silo of many',
    symbol: 'SILO',
    asset: deployment.asset.address,
    operator: seller.address,
    machineIds: [machineId],
    founderShares,
    waterfall: { reserveTarget: 0n, fees: [] },
    ...change,
  }
  const made = await createVault({ ...action(seller), setup, governance: QUICKLY })
  await node.idle()
  return { ...made, machineId }
}

const SATURDAY = parseHours('Sat 8-12') ?? 0n
const thisWeek = () => wallHourAt('Europe/Berlin', Date.now()).week

/** Saturdays 8-12 of the next three weeks, which the seller has given himself. */
async function newRight(machineId: bigint): Promise<bigint> {
  await setCalendarZone({ ...action(seller), machineId, zone: 'Europe/Berlin' })
  const hours = { firstWeek: thisWeek() + 1, weeksCount: 3, bits: SATURDAY }
  return issueRight({ ...action(seller), machineId, hours, to: seller.address })
}

/** A token that keeps one unit of every transfer; the person has the rest. */
async function newFeeToken(of: Person): Promise<Hex> {
  const source = `// SPDX-License-Identifier: Apache-2.0
    pragma solidity 0.8.37;
    contract FeeToken {
      string public symbol = "FEE";
      uint8 public decimals = 0;
      uint256 public totalSupply = 1e15;
      mapping(address => uint256) public balanceOf;
      mapping(address => mapping(address => uint256)) public allowance;
      constructor() { balanceOf[msg.sender] = totalSupply; }
      function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
      }
      function transfer(address to, uint256 amount) external returns (bool) {
        return move(msg.sender, to, amount);
      }
      function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return move(from, to, amount);
      }
      function move(address from, address to, uint256 amount) private returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount - 1;
        balanceOf[address(0xfee)] += 1;
        return true;
      }
    }`
  const input = {
    language: 'Solidity',
    sources: { 'FeeToken.sol': { content: source } },
    settings: { outputSelection: { '*': { '*': ['evm.bytecode.object'] } } },
  }
  const { contracts } = JSON.parse(solc.compile(JSON.stringify(input)))
  const { object } = contracts['FeeToken.sol'].FeeToken.evm.bytecode
  const { publicClient } = node.chain
  const hash = await of.wallet.sendTransaction({
    data: `0x${object}`,
    account: of.account,
    chain: publicClient.chain,
  })
  const { contractAddress } = await publicClient.waitForTransactionReceipt({ hash })
  if (!contractAddress) throw new Error('no contract')
  return contractAddress.toLowerCase() as Hex
}

async function openedAgreement(machineId: bigint, fundMinor: bigint): Promise<Hex> {
  const terms = termsOf(machineId, { deployment, payer: payer.wallet, payee: seller.wallet })
  await seller.client.submitRules([RULE])
  const payeeSignature = await authorizeAgreement({ deployment, wallet: seller.wallet, terms })
  const agreementId = await openAgreement({ ...action(payer), terms, payeeSignature })
  const { asset } = terms
  await approveEscrow({ ...action(payer), asset, amountMinor: fundMinor })
  await fund({ ...action(payer), agreementId, amountMinor: fundMinor })
  await node.idle()
  return agreementId
}

/** Anybody relays what the machine signed. */
async function settle(agreementId: Hex, key: PrivateKey, register: bigint): Promise<void> {
  const { timestamp } = await node.chain.publicClient.getBlock()
  const value: MeterValue = {
    agreementId,
    period: 0,
    asOf: timestamp,
    registers: [register],
    evidenceHead: ZERO_DIGEST,
  }
  const { chainId, clearingHouse } = deployment
  const signature = signTypedDigest(key, meterValueDigest({ chainId, clearingHouse, value }))
  const receipt = await send(action(payer), {
    address: clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'settle',
    args: [[value], [signature]],
  })
  const settled = parseEventLogs({
    abi: clearingHouseAbi,
    eventName: 'Settled',
    logs: receipt.logs,
  })
  expect(settled).toHaveLength(1)
  await node.idle()
}

const inHouse = (who: Hex) =>
  node.chain.publicClient.readContract({
    address: deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'balanceOfAsset',
    args: [who, deployment.asset.address],
  })

const creditAll = (agreementId: Hex) =>
  send(action(payer), {
    address: deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'credit',
    args: [[agreementId]],
  })

describe('a trade of each of the four kinds settles', () => {
  test('a machine: the buyer gets control and none of the past income', async () => {
    const { machineId, key } = await newMachine()
    await seller.client.nameMachine(String(machineId), 'Barge')
    await seller.client.placeMachine(String(machineId), {
      latitudeE7: 535_000_000,
      longitudeE7: 100_000_000,
    })
    const agreementId = await openedAgreement(machineId, 50n * EURO)
    await settle(agreementId, key, 10_000n)
    await createAccount({ ...action(seller), machineId })
    const asset = deployment.asset.address
    const { timestamp } = await node.chain.publicClient.getBlock()
    await setSpendingPolicy({
      ...action(seller),
      machineId,
      asset,
      policy: {
        perPayment: EURO,
        perDay: EURO,
        expiry: timestamp + 30n * DAY,
        counterparties: [payer.address],
      },
    })
    const { policy } = await seller.client.machineAccount(String(machineId))
    expect(policy?.perDayMinor).toBe(String(EURO))

    const posted = await post(await sell({ kind: 'machine', machineId }))
    expect(posted).toMatchObject({
      title: 'Barge',
      kind: 'machine',
      side: 'sale',
      state: 'open',
      problem: null,
      tokenId: String(machineId),
      priceMinor: String(PRICE),
      remaining: '1',
      figures: {
        yearMinor: '4200000',
        lookBackDays: 1,
        payers: 1,
        machines: [{ name: 'Barge', state: 'active', place: { latitudeE7: 535_000_000 } }],
        account: { balanceMinor: '0' },
      },
    })
    expect(posted.figures.income.at(-1)?.minor).toBe('4200000')
    // A day's income says nothing of a year; that of forty days is extrapolated.
    expect(posted.figures.yieldPpm).toBeNull()
    aheadMs = 40 * 86_400_000
    const { figures } = await buyer.client.marketOrder(posted.orderId)
    aheadMs = 0
    expect(figures.lookBackDays).toBeGreaterThanOrEqual(40)
    const perYear = (4_200_000n * 365n) / BigInt(figures.lookBackDays)
    expect(figures.yieldPpm).toBe(Number((perYear * 1_000_000n) / PRICE))
    const found = await buyer.client.marketOrders({ kind: 'machine', text: 'barge' })
    expect(found.orders.map(({ orderId }) => orderId)).toEqual([posted.orderId])

    const before = await balance(seller.address)
    const earned = await inHouse(seller.address)
    await buy({ ...action(buyer), ...posted, seen: { machineState: 'active', accountMinor: 0n } })
    await node.idle()
    expect(await balance(seller.address)).toBe(before + PRICE)
    expect(await ownerOf(deployment.registry, machineId)).toBe(buyer.address)
    // What was earned until now is the payee's, who is not the machine.
    await creditAll(agreementId)
    expect(await inHouse(seller.address)).toBe(earned + 4_200_000n)
    expect(await inHouse(buyer.address)).toBe(0n)

    // Control: state, account and words are the buyer's, and the seller's are gone.
    await suspendMachine({ ...action(buyer), machineId, reason: 'new owner' })
    await expect(suspendMachine({ ...action(seller), machineId })).rejects.toThrow(/belongs to/)
    const account = accountAddress({ deployment, machineId })
    await send(action(buyer), {
      address: asset,
      abi: erc20Abi,
      functionName: 'transfer',
      args: [account, 3n],
    })
    const execute = (who: Person) =>
      send(action(who), {
        address: account,
        abi: machineAccountAbi,
        functionName: 'execute',
        args: [
          asset,
          0n,
          encodeFunctionData({
            abi: erc20Abi,
            functionName: 'transfer',
            args: [who.address, 3n],
          }),
          0,
        ],
      })
    await expect(execute(seller)).rejects.toThrow()
    await execute(buyer)
    await node.idle()
    expect((await buyer.client.machineAccount(String(machineId))).policy).toBeNull()
    const machine = await buyer.client.machine(String(machineId))
    expect(machine).toMatchObject({ name: String(machineId), place: null, owner: buyer.address })
    await expect(seller.client.nameMachine(String(machineId), 'mine')).rejects.toMatchObject({
      code: 'NOT_OWNER',
    })
    await buyer.client.nameMachine(String(machineId), 'Barge of the city')

    expect(await buyer.client.marketOrder(posted.orderId)).toMatchObject({
      state: 'filled',
      remaining: '0',
    })
    expect((await buyer.client.marketTrades({ token: deployment.registry }))[0]).toMatchObject({
      orderId: posted.orderId,
      maker: seller.address,
      taker: buyer.address,
      priceMinor: String(PRICE),
      kind: 'machine',
    })
  }, 120_000)

  test('a receivable: before the sale to the seller, after it to the buyer', async () => {
    const { machineId, key } = await newMachine()
    const agreementId = await openedAgreement(machineId, 50n * EURO)
    await settle(agreementId, key, 1_000n)
    const posted = await post(await sell({ kind: 'receivable', agreementId }, 20n * EURO))
    expect(posted).toMatchObject({
      tokenId: agreementId,
      figures: {
        yieldPpm: null,
        receivable: {
          agreementId,
          payer: payer.address,
          open: true,
          escrowMinor: String(50n * EURO - 420_000n),
          accruedMinor: '420000',
        },
      },
    })
    const [ofSeller, ofBuyer] = [await inHouse(seller.address), await inHouse(buyer.address)]
    await buy({ ...action(buyer), ...posted, seen: { escrowMinor: 49n * EURO } })
    await settle(agreementId, key, 3_000n)
    await creditAll(agreementId)
    expect(await inHouse(seller.address)).toBe(ofSeller + 420_000n)
    expect(await inHouse(buyer.address)).toBe(ofBuyer + 840_000n)
    await node.idle()
    const agreement = await buyer.client.agreement(agreementId)
    expect(agreement.position.owner).toBe(buyer.address)
  }, 120_000)

  test('shares: in parts, to whoever comes, and no more than there are', async () => {
    const { vault: token } = await newVault(100n)
    const posted = await post(await sell({ kind: 'share', token, amount: 100n }, 100n * EURO))
    expect(posted).toMatchObject({ kind: 'share', amount: '100', partSize: '1', tokenId: null })
    await expect(buy({ ...action(buyer), ...posted, part: 101n })).rejects.toMatchObject({
      code: 'PART_INEXACT',
    })
    await buy({ ...action(buyer), ...posted, part: 30n })
    await node.idle()
    expect(await balance(buyer.address, token)).toBe(30n)
    const left = await buyer.client.marketOrder(posted.orderId)
    expect(left).toMatchObject({ remaining: '70', remainingMinor: String(70n * EURO) })
    const before = await balance(payer.address)
    // Over-filled: he gets and pays what is left.
    await buy({ ...action(payer), ...posted, part: 90n })
    await node.idle()
    expect(await balance(payer.address, token)).toBe(70n)
    expect(before - (await balance(payer.address))).toBe(70n * EURO)
    await expect(buy({ ...action(buyer), ...posted, part: 1n })).rejects.toThrow(/filled/)
  }, 120_000)

  test('a usage right: its hours are the buyer’s, and he may sell them on', async () => {
    const { machineId } = await newMachine()
    const rightId = await newRight(machineId)
    await node.idle()
    const posted = await post(await sell({ kind: 'right', rightId }, EURO))
    expect(posted).toMatchObject({
      kind: 'right',
      state: 'open',
      tokenId: String(rightId),
      figures: {
        yieldPpm: null,
        payers: 0,
        hours: null,
        rightInWords: expect.stringMatching(/^every Saturday 8-12, 3 weeks from /),
      },
    })
    expect(posted.title).toContain(`Usage right ${rightId}`)
    const before = await balance(seller.address)
    await buy({ ...action(buyer), ...posted })
    await node.idle()
    expect(await balance(seller.address)).toBe(before + EURO)
    expect((await buyer.client.right(String(rightId))).owner).toBe(buyer.address)
    expect(await buyer.client.marketOrder(posted.orderId)).toMatchObject({ state: 'filled' })
    const { usageRights } = deployment.cooperation ?? {}
    const [trade] = await buyer.client.marketTrades({ token: usageRights ?? '0x' })
    expect(trade).toMatchObject({ kind: 'right', tokenId: String(rightId), taker: buyer.address })
    // Hours given up are gone for good: whoever has just been shown the right whole does not get less.
    const week = thisWeek() + 2
    const onward = { good: { kind: 'right', rightId }, priceMinor: EURO } as const
    const resale = await listForSale({ ...action(buyer), ...onward, lastsSeconds: DAY })
    await cancelHours({ ...action(buyer), rightId, week, bits: SATURDAY })
    await expect(buy({ ...action(payer), ...resale })).rejects.toMatchObject({
      errorName: 'RightRests',
    })
    await node.idle()
    const less = await buyer.client.postOrder(resale)
    expect(less.figures.rightInWords).toContain(', less 4 hours that were given up')
  }, 120_000)

  test('an offer is accepted by whoever has what it asks for', async () => {
    const { machineId } = await newMachine()
    const signed = await makeOffer({
      ...action(buyer),
      good: { kind: 'machine', machineId },
      priceMinor: PRICE,
      lastsSeconds: DAY,
    })
    const posted = await buyer.client.postOrder(signed)
    expect(posted).toMatchObject({ side: 'offer', state: 'open', maker: buyer.address })
    await expect(buy({ ...action(seller), ...signed })).rejects.toMatchObject({
      code: 'ORDER_OTHER_SIDE',
    })
    const before = await balance(seller.address)
    await acceptOffer({ ...action(seller), ...signed })
    expect(await ownerOf(deployment.registry, machineId)).toBe(buyer.address)
    expect(await balance(seller.address)).toBe(before + PRICE)
  }, 60_000)
})

describe('what a vault asks of its shares and its owners', () => {
  test('ATK: who is not on its list gets no share; the order stands for who is', async () => {
    const compliance = deployment.cooperation?.allowLists
    const { vault } = await newVault(10n, { compliance })
    const posted = await post(await sell({ kind: 'share', token: vault, amount: 10n }, 10n * EURO))
    const before = await balance(buyer.address)
    await expect(buy({ ...action(buyer), ...posted, part: 4n })).rejects.toMatchObject({
      errorName: 'TransferNotCompliant',
    })
    expect(await balance(buyer.address)).toBe(before)
    const stands = await buyer.client.marketOrder(posted.orderId)
    expect(stands).toMatchObject({ state: 'open', remaining: '10' })
    await setAllowed({ ...action(seller), vault, accounts: [buyer.address], allowed: true })
    await buy({ ...action(buyer), ...posted, part: 4n })
    expect(await balance(buyer.address, vault)).toBe(4n)
    expect(await balance(buyer.address)).toBe(before - 4n * EURO)
    // Nor does an offer of his get him any.
    await setAllowed({ ...action(seller), vault, accounts: [buyer.address], allowed: false })
    const good: Good = { kind: 'share', token: vault, amount: 2n }
    const offer = await makeOffer({
      ...action(buyer),
      good,
      priceMinor: 2n * EURO,
      lastsSeconds: DAY,
    })
    await expect(acceptOffer({ ...action(seller), ...offer })).rejects.toMatchObject({
      errorName: 'TransferNotCompliant',
    })
  }, 120_000)

  test('a vault sells its machine: owners vote to accept an offer, and the price is their income', async () => {
    const { vault, governor, timelock, machineId } = await newVault(10n)
    const offer = await makeOffer({
      ...action(buyer),
      good: { kind: 'machine', machineId },
      priceMinor: PRICE,
      lastsSeconds: 30n * DAY,
    })
    await buyer.client.postOrder(offer)
    const actions = [{ kind: 'accept-offer', offer } as const]
    const calls = proposedCalls({ vault, governor, timelock, deployment }, actions)
    const description = '# Sell the silo'
    const proposalId = await proposeToOwners({ ...action(seller), governor, calls, description })
    await node.idle()
    const shown = await seller.client.vaultProposal(vault, proposalId)
    const { effects } = shown
    expect(effects.map(({ severity }) => severity)).not.toContain('unknown')
    expect(effects.at(-1)?.words).toMatch(/Accepts the offer of .*: the vault gets .*250/)
    const proposal = callsOfProposal(shown)
    const stateOf = async () => {
      // A block, so that the ledger's time goes on.
      await approveEscrow({ ...action(seller), asset: deployment.asset.address, amountMinor: 0n })
      await node.idle()
      return (await seller.client.vaultProposal(vault, proposalId)).state
    }
    const wait = { timeout: 90_000, interval: 500 }
    await expect.poll(stateOf, wait).toBe('active')
    await castVote({ ...action(seller), governor, proposalId, support: 'for' })
    await expect.poll(stateOf, wait).toBe('succeeded')
    await queueProposal({ ...action(payer), governor, proposal })
    await expect.poll(stateOf, wait).toBe('ready')
    expect(await ownerOf(deployment.registry, machineId)).toBe(vault)
    const paid = await balance(buyer.address)
    await executeProposal({ ...action(payer), governor, proposal })
    expect(await ownerOf(deployment.registry, machineId)).toBe(buyer.address)
    expect(await balance(buyer.address)).toBe(paid - PRICE)
    await distributeIncome({ ...action(payer), vault })
    const before = await balance(seller.address)
    await claimIncome({ ...action(payer), vault, account: seller.address })
    expect(await balance(seller.address)).toBe(before + PRICE)
  }, 300_000)
})

test('ATK: a token that takes a fee is no money and no share of this market', async () => {
  const fee = await newFeeToken(buyer)
  const { machineId } = await newMachine()
  const feeLedger = { ...deployment, asset: { ...deployment.asset, address: fee } }
  const signed = await sell({ kind: 'machine', machineId }, 1_000n, feeLedger)
  await expect(post(signed)).rejects.toMatchObject({ code: 'ORDER_ASSET_REFUSED' })
  await expect(buy({ ...action(buyer), ...signed })).rejects.toMatchObject({
    code: 'ORDER_ASSET_REFUSED',
  })
  const share = await listForSale({
    ...action(buyer),
    good: { kind: 'share', token: fee, amount: 100n },
    priceMinor: EURO,
    lastsSeconds: DAY,
  })
  await expect(post(share)).rejects.toMatchObject({ code: 'SHARE_UNKNOWN' })
  // Where such a token is the ledger's money itself, the fee is the seller's loss, as in every payment: the buyer pays the price, and nothing stays behind.
  const before = await balance(buyer.address, fee)
  await buy({ ...action(buyer, feeLedger), ...signed })
  expect(await ownerOf(deployment.registry, machineId)).toBe(buyer.address)
  expect(await balance(buyer.address, fee)).toBe(before - 1_000n)
  expect(await balance(seller.address, fee)).toBe(999n)
  expect(await balance(marketOf(deployment).market, fee)).toBe(0n)
}, 60_000)

describe('what is posted must be signed, funded and plain', () => {
  test('the same order again is the same answer; another signature of it is not asked for', async () => {
    const { machineId } = await newMachine()
    const signed = await sell({ kind: 'machine', machineId })
    const first = await post(signed)
    expect(await post(signed)).toEqual(first)
  }, 60_000)

  test('ATK: signed for another chain or market, by somebody else, or not at all', async () => {
    const { machineId } = await newMachine()
    const signed = await sell({ kind: 'machine', machineId })
    const market = marketOf(deployment)
    const elsewhere = [
      await signedAs(seller, {}, signed, { ...market, chainId: 1 }),
      await signedAs(seller, {}, signed, { ...market, market: deployment.registry }),
      await signedAs(buyer, {}, signed),
      { ...signed, signature: '0x' as Hex },
      { ...signed, signature: `0x${'00'.repeat(65)}` as Hex },
    ]
    for (const one of elsewhere) {
      await expect(post(one)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID', status: 422 })
      await expect(buy({ ...action(buyer), ...one })).rejects.toThrow()
    }
    // A price that was not signed is not paid, on the node or on the ledger.
    const cheaper = await signedAs(seller, { priceMinor: 1n }, signed)
    const forged = { order: cheaper.order, signature: signed.signature }
    await expect(post(forged)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
    await expect(buy({ ...action(buyer), ...forged })).rejects.toThrow()
    expect(await ownerOf(deployment.registry, machineId)).toBe(seller.address)
  }, 120_000)

  test('ATK: hostile shapes are refused with what is wrong with them', async () => {
    const { machineId } = await newMachine()
    const { order, signature } = await sell({ kind: 'machine', machineId })
    const [paid] = order.consideration
    if (!paid) throw new Error('no price')
    const cases = [
      [{ consideration: [{ ...paid, recipient: buyer.address }] }, 'ORDER_RECIPIENT_REFUSED'],
      [
        {
          consideration: [paid, { ...paid, recipient: buyer.address }],
          totalOriginalConsiderationItems: 2,
        },
        'ORDER_SHAPE_REFUSED',
      ],
      [{ consideration: [{ ...paid, token: buyer.address }] }, 'ORDER_ASSET_REFUSED'],
      [{ consideration: [{ ...paid, startAmount: '0', endAmount: '0' }] }, 'ORDER_PRICE_REFUSED'],
      [{ consideration: [{ ...paid, startAmount: String(2n ** 256n) }] }, 'ORDER_INVALID'],
      [{ zone: buyer.address }, 'ORDER_SHAPE_REFUSED'],
    ] as const
    for (const [change, code] of cases) {
      const hostile = { order: { ...order, ...change } as typeof order, signature }
      await expect(post(hostile)).rejects.toMatchObject({ code, status: 422 })
      await expect(buy({ ...action(buyer), ...hostile })).rejects.toMatchObject({ code })
    }
    const ends = (seconds: bigint) => String(BigInt(order.endTime) + seconds)
    await expect(
      post({ order: { ...order, endTime: ends(400n * DAY) }, signature }),
    ).rejects.toMatchObject({ code: 'ORDER_TOO_LONG' })
    await expect(
      post({ order: { ...order, endTime: ends(-3n * DAY) }, signature }),
    ).rejects.toMatchObject({ code: 'ORDER_EXPIRED' })
    await expect(
      post({ order, signature: `0x${'00'.repeat(5_000)}` as Hex }),
    ).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' })
  }, 120_000)

  test('ATK: nobody sells what he has not got, or offers what he has not approved', async () => {
    const { machineId } = await newMachine()
    const signed = await sell({ kind: 'machine', machineId })
    const ofStranger = await signedAs(buyer, { maker: buyer.address }, signed)
    await expect(post(ofStranger)).rejects.toMatchObject({ code: 'ORDER_UNFUNDED', status: 409 })
    const rich = { maker: payer.address, side: 'offer', priceMinor: 2n ** 100n } as const
    await expect(post(await signedAs(payer, rich, signed))).rejects.toMatchObject({
      code: 'ORDER_UNFUNDED',
    })
    const token = deployment.clearingHouse
    const notShare = { good: { kind: 'share', token, amount: 5n } } as const
    await expect(post(await signedAs(seller, notShare, signed))).rejects.toMatchObject({
      code: 'SHARE_UNKNOWN',
    })
  }, 60_000)

  test('ATK: one maker cannot fill the book', async () => {
    const { machineId } = await newMachine(payer)
    const base = await listForSale({
      ...action(payer),
      good: { kind: 'machine', machineId },
      priceMinor: PRICE,
      lastsSeconds: DAY,
    })
    for (let salt = 0n; salt < 50n; salt += 1n) await post(await signedAs(payer, { salt }, base))
    await expect(post(base)).rejects.toMatchObject({ code: 'ORDER_BOOK_FULL', status: 429 })
    await cancelAllOrders(action(payer))
    await node.idle()
    const { orders } = await payer.client.marketOrders({
      maker: payer.address,
      machineId: String(machineId),
    })
    expect(orders).toEqual([])
    await expect(post(base)).rejects.toMatchObject({ code: 'ORDER_CANCELLED', status: 409 })
  }, 180_000)
})

describe('what cannot be bought is not listed', () => {
  const listed = async (machineId: bigint) =>
    (await buyer.client.marketOrders({ machineId: String(machineId) })).orders.length
  const stateOf = async (orderId: Hex) => (await buyer.client.marketOrder(orderId)).state

  test('the seller moved it', async () => {
    const { machineId } = await newMachine()
    const posted = await post(await sell({ kind: 'machine', machineId }))
    expect(await listed(machineId)).toBe(1)
    await transferMachine({ ...action(seller), machineId, to: payer.address })
    await node.idle()
    expect([await listed(machineId), await stateOf(posted.orderId)]).toEqual([0, 'unfunded'])
    await expect(buy({ ...action(buyer), ...posted })).rejects.toThrow()
    // Back, and approved for a new sale: the old one, cheaper, would stand again.
    await transferMachine({ ...action(payer), machineId, to: seller.address })
    await node.idle()
    const good: Good = { kind: 'machine', machineId }
    const mine = await seller.client.marketOrders({ maker: seller.address, all: true })
    const replaced = replacedOrders(mine.orders, marketOf(deployment), good)
    expect(replaced).toEqual([posted.order])
    const dearer = await listForSale({
      ...action(seller),
      good,
      priceMinor: 2n * PRICE,
      lastsSeconds: DAY,
      replaced,
    })
    await post(dearer)
    await node.idle()
    expect([await listed(machineId), await stateOf(posted.orderId)]).toEqual([1, 'cancelled'])
    await expect(buy({ ...action(buyer), ...posted })).rejects.toThrow(/cancelled/)
  }, 120_000)

  test('ATK: cancelled before it was filled, whichever comes first', async () => {
    const { machineId } = await newMachine()
    const posted = await post(await sell({ kind: 'machine', machineId }))
    await expect(cancelOrders({ ...action(buyer), orders: [posted.order] })).rejects.toThrow(
      /CannotCancelOrder/,
    )
    await cancelOrders({ ...action(seller), orders: [posted.order] })
    await node.idle()
    expect([await listed(machineId), await stateOf(posted.orderId)]).toEqual([0, 'cancelled'])
    await expect(buy({ ...action(buyer), ...posted })).rejects.toThrow(/cancelled/)
    const other = await post(await sell({ kind: 'machine', machineId }))
    await buy({ ...action(buyer), ...other })
    // Too late, and harmless: what was filled stays filled.
    await cancelOrders({ ...action(seller), orders: [other.order] }).catch(() => undefined)
    expect(await ownerOf(deployment.registry, machineId)).toBe(buyer.address)
  }, 120_000)

  test('ATK: what the buyer has seen is gone before he pays', async () => {
    const { machineId } = await newMachine()
    const posted = await post(await sell({ kind: 'machine', machineId }))
    const seen = { machineState: 'active', accountMinor: 5n } as const
    await expect(buy({ ...action(buyer), ...posted, seen })).rejects.toMatchObject({
      code: 'GOOD_CHANGED',
    })
    await suspendMachine({ ...action(seller), machineId })
    await expect(
      buy({ ...action(buyer), ...posted, seen: { machineState: 'active' } }),
    ).rejects.toMatchObject({ code: 'GOOD_CHANGED' })
    const other = await newMachine()
    const agreementId = await openedAgreement(other.machineId, EURO)
    const income = await post(await sell({ kind: 'receivable', agreementId }, EURO))
    await expect(
      buy({ ...action(buyer), ...income, seen: { escrowMinor: 2n * EURO } }),
    ).rejects.toMatchObject({ code: 'GOOD_CHANGED' })
    await send(action(seller), {
      address: deployment.clearingHouse,
      abi: clearingHouseAbi,
      functionName: 'close',
      args: [agreementId],
    })
    await expect(buy({ ...action(buyer), ...income })).rejects.toMatchObject({
      code: 'GOOD_CHANGED',
    })
  }, 120_000)

  test('ATK: the seller has given hours away that the buyer has not seen', async () => {
    const { machineId } = await newMachine()
    await newRight(machineId)
    await node.idle()
    const posted = await post(await sell({ kind: 'machine', machineId }))
    const [from, until] = [1, 4].map((weeks) => mondayOf(thisWeek() + weeks))
    expect(posted.figures.hours).toMatchObject({
      rightsIssued: '1',
      heldHours: 12,
      ofHours: 672,
      words: [expect.stringMatching(/^Saturdays 8-12 are held from .* until .*$/)],
    })
    const [words] = posted.figures.hours?.words ?? []
    expect(words).toContain(String(Number(from?.slice(8))))
    expect(words).toContain(String(Number(until?.slice(8))))
    const seen = seenGood(posted)
    expect(seen).toMatchObject({ machineState: 'active', rightsIssued: 1n })
    const hours = { firstWeek: thisWeek() + 1, weeksCount: 1, hoursPerWeek: 10 }
    await issueRight({ ...action(seller), machineId, hours, to: payer.address })
    await expect(buy({ ...action(buyer), ...posted, seen })).rejects.toMatchObject({
      code: 'GOOD_CHANGED',
    })
    await node.idle()
    const again = await buyer.client.marketOrder(posted.orderId)
    expect(again.figures.hours).toMatchObject({ rightsIssued: '2', heldHours: 22 })
    expect(again.figures.hours?.words[0]).toContain('10 hours a week are held')
    await buy({ ...action(buyer), ...again, seen: seenGood(again) })
    expect(await ownerOf(deployment.registry, machineId)).toBe(buyer.address)
  }, 120_000)

  test('expired', async () => {
    const { machineId } = await newMachine()
    const good: Good = { kind: 'machine', machineId }
    const posted = await post(
      await listForSale({ ...action(seller), good, priceMinor: PRICE, lastsSeconds: 600n }),
    )
    aheadMs = 3_600_000
    try {
      expect([await listed(machineId), await stateOf(posted.orderId)]).toEqual([0, 'expired'])
      const all = await seller.client.marketOrders({
        maker: seller.address,
        all: true,
        text: posted.orderId,
      })
      expect(all.orders.map(({ state }) => state)).toEqual(['expired'])
    } finally {
      aheadMs = 0
    }
  }, 60_000)
})

test('ATK: a share that stops to say what it is does not take the list away', async () => {
  const { vault: token } = await newVault(100n)
  const posted = await post(await sell({ kind: 'share', token, amount: 100n }, EURO))
  const { pool } = node.database
  await pool.query('UPDATE market_orders SET token = $1 WHERE order_id = $2', [
    Buffer.from('66'.repeat(20), 'hex'),
    Buffer.from(posted.orderId.slice(2), 'hex'),
  ])
  const { machineId } = await newMachine()
  const other = await post(await sell({ kind: 'machine', machineId }))
  const { orders } = await buyer.client.marketOrders()
  expect(orders.map(({ orderId }) => orderId)).toEqual(
    expect.arrayContaining([posted.orderId, other.orderId]),
  )
}, 60_000)

test('search by kind, price, place and yield, in pages', async () => {
  const north = await newMachine()
  const south = await newMachine()
  const place = (machineId: bigint, degrees: number) =>
    seller.client.placeMachine(String(machineId), {
      latitudeE7: degrees * 10_000_000,
      longitudeE7: 1_799_000_000,
    })
  await place(north.machineId, 60)
  await place(south.machineId, -60)
  const far = await post(await sell({ kind: 'machine', machineId: north.machineId }, 7_000n * EURO))
  const near = await post(
    await sell({ kind: 'machine', machineId: south.machineId }, 9_000n * EURO),
  )
  const { client } = buyer
  const ids = async (query: Parameters<Client['marketOrders']>[0]) =>
    (await client.marketOrders(query)).orders.map(({ orderId }) => orderId)
  const dear = { kind: 'machine', minPriceMinor: String(7_000n * EURO) } as const
  expect(await ids({ ...dear, sort: 'price' })).toEqual([far.orderId, near.orderId])
  expect(await ids(dear)).toEqual([near.orderId, far.orderId])
  expect(await ids({ ...dear, maxPriceMinor: String(7_000n * EURO) })).toEqual([far.orderId])
  // Across the date line.
  const around = { latitudeE7: -600_000_000, longitudeE7: -1_799_000_000, withinKm: 50 }
  expect(await ids({ ...dear, ...around })).toEqual([near.orderId])
  expect(await ids({ ...dear, minYieldPpm: 1 })).toEqual([])
  expect(await ids({ ...dear, side: 'offer' })).toEqual([])
  expect(await ids({ ...dear, kind: 'share' })).toEqual([])
  const first = await client.marketOrders({ ...dear, limit: 1 })
  expect(first.nextOffset).toBe(1)
  expect(await ids({ ...dear, limit: 1, offset: 1 })).toEqual([far.orderId])
  await expect(client.marketOrder(`0x${'ab'.repeat(32)}`)).rejects.toMatchObject({
    code: 'ORDER_UNKNOWN',
    status: 404,
  })
}, 120_000)

test('a maker that is a contract validates on the ledger what it cannot sign', async () => {
  const { machineId } = await newMachine()
  const owned = await newMachine()
  await createAccount({ ...action(seller), machineId })
  const account = accountAddress({ deployment, machineId }).toLowerCase() as Hex
  await transferMachine({ ...action(seller), machineId: owned.machineId, to: account })
  const base = await sell({ kind: 'machine', machineId })
  const { order } = await signedAs(
    seller,
    { maker: account, good: { kind: 'machine', machineId: owned.machineId } },
    base,
  )
  await expect(post({ order, signature: '0x' })).rejects.toMatchObject({
    code: 'SIGNATURE_INVALID',
  })
  const execute = (to: Hex, data: Hex) =>
    send(action(seller), {
      address: account,
      abi: machineAccountAbi,
      functionName: 'execute',
      args: [to, 0n, data, 0],
    })
  const { market, registry } = marketOf(deployment)
  const approval = { abi: machineRegistryAbi, functionName: 'approve' } as const
  await execute(registry, encodeFunctionData({ ...approval, args: [market, owned.machineId] }))
  const { counter: _, ...parameters } = order
  const validation = { abi: seaportAbi, functionName: 'validate' } as const
  await execute(
    market,
    encodeFunctionData({
      ...validation,
      args: [[{ parameters, signature: '0x' }]],
    } as never),
  )
  await node.idle()
  const posted = await post({ order, signature: '0x' })
  expect(posted).toMatchObject({ maker: account, state: 'open' })
  await buy({ ...action(buyer), ...posted })
  expect(await ownerOf(registry, owned.machineId)).toBe(buyer.address)
  expect(await balance(account)).toBe(PRICE)
}, 120_000)
