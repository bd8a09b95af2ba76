import { clearingHouseAbi, machineVaultAbi, vaultFactoryAbi, vaultTimelockAbi } from '@liquefy/abi'
import { type Call, cooperationOf } from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import {
  type Abi,
  createWalletClient,
  encodeAbiParameters,
  encodeFunctionData,
  getAbiItem,
  http,
  keccak256,
  numberToHex,
  parseEventLogs,
  slice,
  zeroAddress,
  zeroHash,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import {
  assetCall,
  type BenchAgreement,
  FUND_MINOR,
  houseCall,
  idOf,
  meterValueOf,
  provide,
  registerMachines,
  registryCall,
  signValue,
  termsOf,
} from './business.ts'
import type { BenchLedger } from './ledger.ts'

/** A prime, so that every income leaves a remainder: no claim is cheaper because its vault divides evenly. */
const SHARES = 5_003n
const PRICE_MINOR = 1_000n
const OWNERS = [2, 40, 5_000] as const
/** What fits a transaction (EIP-7825). */
const CALLS_AT_ONCE = 50
/** Two claims may differ by at most one part in so many. */
const TOLERANCE = 100n
const DAY_SECONDS = 86_400
const MONTH_SECONDS = 31 * DAY_SECONDS
const HOUR_SECONDS = 3_600
const TERMS = getAbiItem({ abi: clearingHouseAbi, name: 'open' }).inputs[0]

/** What a vault costs to make and to pay its owners from, in gas. */
export interface VaultGas {
  create: bigint
  collect: bigint
  settleToOwner: bigint
  claims: Record<(typeof OWNERS)[number], bigint>
}

interface People {
  payer: PrivateKeyAccount
  payee: PrivateKeyAccount
}

/**
 * Makes a vault each with 2, 40 and 5,000 owners, earns by a settled agreement, and measures what one owner's claim costs in each.
 *
 * @throws Error if the claims differ by more than 1 %.
 */
export async function measureVaults(ledger: BenchLedger, people: People): Promise<VaultGas> {
  const { vaultFactory: factory, vaultTimelock } = cooperationOf(ledger.node.deployment)
  const batcher = await deployBatcher(ledger, people.payer, vaultTimelock)
  const claims = { 2: 0n, 40: 0n, 5000: 0n }
  const common = { create: 0n, collect: 0n, settleToOwner: 0n }
  for (const owners of OWNERS) {
    const { vault, createGas, agreement } = await openVault(ledger, people, factory)
    await sellShares(ledger, people, { vault, batcher }, owners)
    // The first time writes slots that are empty: every time after that is what an owner pays.
    await earnAndClaim(ledger, people, vault, agreement)
    const gas = await earnAndClaim(ledger, people, vault, agreement)
    claims[owners] = gas.claim
    common.create = createGas
    common.collect = gas.collect
    common.settleToOwner = gas.settle + gas.collect + gas.claim
  }
  requireEqual(claims)
  return { ...common, claims }
}

function requireEqual(claims: VaultGas['claims']): void {
  const all = Object.values(claims).sort((a, b) => (a < b ? -1 : 1))
  const [least = 0n, most = 0n] = [all[0], all.at(-1)]
  if ((most - least) * TOLERANCE <= least) return
  throw new Error(`A claim costs ${all.join(', ')} gas: it depends on how many owners there are.`)
}

async function deploy(ledger: BenchLedger, account: PrivateKeyAccount, data: Hex): Promise<Hex> {
  const transport = http(ledger.node.rpcUrl)
  const wallet = createWalletClient({ account, chain: ledger.chain, transport })
  const hash = await wallet.sendTransaction({ data })
  const { contractAddress } = await ledger.reader.waitForTransactionReceipt({ hash })
  if (!contractAddress) throw new Error('The ledger has not made the contract.')
  return contractAddress
}

/** A vault with one machine, all of its shares for sale, and a funded agreement that pays it. */
async function openVault(ledger: BenchLedger, people: People, factory: Hex) {
  const { payer, payee } = people
  const [machine] = await registerMachines(ledger, payee, 'P-256', 1)
  if (!machine) throw new Error('No machine was registered.')
  await ledger.send(payee, registryCall(ledger, 'approve', [factory, machine.machineId]))
  const sale = {
    priceMinor: PRICE_MINOR,
    cap: SHARES,
    goal: SHARES,
    deadline: (await ledger.now()) + BigInt(MONTH_SECONDS),
  }
  const setup = {
    name: 'Bench',
    symbol: 'BENCH',
    asset: ledger.node.deployment.asset.address,
    operator: payee.address,
    compliance: zeroAddress,
    machineIds: [machine.machineId],
    founderShares: 0n,
    sale,
    buyout: { minBps: 0, refusalBps: 0, delaySeconds: 0 },
    waterfall: { reserveTarget: 0n, lender: zeroAddress, outstanding: 0n, fees: [] },
  }
  const governance = {
    votingDelaySeconds: 60,
    votingPeriodSeconds: 3_600,
    proposalThreshold: 1n,
    quorumPercent: 20,
    timelockSeconds: 3_600n,
  }
  const created = await ledger.send(payee, {
    address: factory,
    abi: vaultFactoryAbi as Abi,
    functionName: 'create',
    args: [setup, governance],
  })
  const [event] = parseEventLogs({
    abi: vaultFactoryAbi,
    logs: created.logs,
    eventName: 'VaultCreated',
  })
  if (!event) throw new Error('The factory has made no vault.')
  const { vault } = event.args
  const parties = { payer: payer.address, payee: vault }
  const terms = await termsOf(ledger, parties, machine, { periodSeconds: MONTH_SECONDS })
  const agreement: BenchAgreement = { id: idOf(ledger, terms), terms, machine }
  const { id: hash } = agreement
  const operatorSignature = await payee.sign({ hash })
  await ledger.send(
    payer,
    houseCall(ledger, 'open', [
      terms,
      '0x',
      encodeAbiParameters([TERMS, { type: 'bytes' }], [terms, operatorSignature]),
    ]),
  )
  await provide(ledger, payer, FUND_MINOR)
  await ledger.send(payer, houseCall(ledger, 'fund', [hash, FUND_MINOR]))
  return { vault, agreement, createGas: created.gasUsed }
}

/** The payee has one share, as many others as there are to be have the rest. */
async function sellShares(
  ledger: BenchLedger,
  { payer: buyer, payee }: People,
  { vault, batcher }: { vault: Hex; batcher: Hex },
  owners: number,
): Promise<void> {
  const needed = SHARES * PRICE_MINOR
  const buy = (shares: bigint, to: Hex) => vaultCall(vault, 'buyShares', [shares, to])
  const calls = [
    assetCall(ledger, 'mint', [batcher, needed]),
    assetCall(ledger, 'approve', [vault, needed]),
    buy(1n, payee.address),
    ...Array.from({ length: owners - 2 }, (_, index) => buy(1n, ownerAt(index))),
    buy(SHARES - BigInt(owners) + 1n, ownerAt(owners)),
  ]
  for (let from = 0; from < calls.length; from += CALLS_AT_ONCE) {
    const batch = calls.slice(from, from + CALLS_AT_ONCE)
    const operation = [batch.map(({ address }) => address), batch.map(() => 0n), batch.map(encode)]
    const salt = keccak256(`${vault}${from.toString(16).padStart(8, '0')}`)
    const args = [...operation, zeroHash, salt]
    await ledger.send(buyer, batcherCall(batcher, 'scheduleBatch', [...args, 0n]))
    await ledger.send(buyer, batcherCall(batcher, 'executeBatch', args))
  }
}

function encode({ abi, functionName, args }: Call): Hex {
  return encodeFunctionData({ abi, functionName, args })
}

function batcherCall(address: Hex, functionName: string, args: readonly unknown[]): Call {
  return { address, abi: vaultTimelockAbi, functionName, args }
}

/** Sends many calls in one transaction: a timelock without delay, of `owner`'s, a clone (ERC-1167) of `code`. */
async function deployBatcher(
  ledger: BenchLedger,
  owner: PrivateKeyAccount,
  code: Hex,
): Promise<Hex> {
  const clone: Hex = `0x3d602d80600a3d3981f3363d3d373d3d3d363d73${code.slice(2)}5af43d82803e903d91602b57fd5bf3`
  const batcher = await deploy(ledger, owner, clone)
  const args = [0n, [owner.address], [owner.address], zeroAddress]
  await ledger.send(owner, batcherCall(batcher, 'initialize', args))
  return batcher
}

/** An address that nobody has. */
function ownerAt(index: number): Hex {
  return slice(keccak256(numberToHex(index, { size: 32 })), 12)
}

/** One signed value is settled by the machine's own key, collected, and claimed by the payee in a later block. */
async function earnAndClaim(
  ledger: BenchLedger,
  { payer, payee }: People,
  vault: Hex,
  agreement: BenchAgreement,
) {
  await ledger.pass(HOUR_SECONDS)
  const asOf = await ledger.now()
  const used = (asOf - agreement.terms.start) * 1_000n
  const value = meterValueOf(agreement, asOf, [used, used / 60n])
  const signature = signValue(ledger, agreement.machine, value)
  const settled = await ledger.send(payer, houseCall(ledger, 'settle', [[value], [signature]]))
  const collected = await ledger.send(payer, vaultCall(vault, 'collect', [[agreement.id]]))
  const claimed = await ledger.send(payer, vaultCall(vault, 'claim', [payee.address]))
  return { settle: settled.gasUsed, collect: collected.gasUsed, claim: claimed.gasUsed }
}

function vaultCall(vault: Hex, functionName: string, args: readonly unknown[]): Call {
  return { address: vault, abi: machineVaultAbi, functionName, args }
}
