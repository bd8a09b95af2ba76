import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  machineRegistryAbi,
  machineRegistryBytecode,
  p256Sha256VerifierBytecode,
  testEuroAbi,
  testEuroBytecode,
  usageRightsAbi,
  usageRightsBytecode,
} from '@liquefy/abi'
import {
  CURVE_NUMBER,
  keyId,
  privateKeyFromBytes,
  registerDigest,
  signTypedDigest,
} from '@liquefy/protocol'
import solc from 'solc'
import {
  type Abi,
  createTestClient,
  encodeFunctionData,
  type Hex,
  http,
  parseEventLogs,
  publicActions,
  slice,
  TransactionReceiptNotFoundError,
  toFunctionSelector,
  toHex,
  walletActions,
  zeroAddress,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { anvil } from 'viem/chains'
import { startAnvil } from '../../../protocol/test/transact/anvil.ts'
import type { Action } from './hours-model.ts'

const PRICE_PER_HOUR = 100n
/** What Osaka lets a transaction use. */
const GAS = 16_000_000n
/** Worth nothing: anvil's first account. */
const SENDER = privateKeyToAccount(
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
)

const ERRORS = new Map(
  [...usageRightsAbi, ...testEuroAbi].flatMap((item) => {
    if (item.type !== 'error') return []
    const { name, inputs } = item
    return [[toFunctionSelector(`${name}(${inputs.map(({ type }) => type).join(',')})`), name]]
  }),
)

/** The contracts on a ledger of their own, and people who act there, many actions a block. The first of them has the machine. */
export async function hoursLedger(options: {
  people: number
  zone: string
  nowSeconds: number
  untilWeek: number
  openBits: bigint
}) {
  const ledger = await startAnvil()
  const client = createTestClient({
    mode: 'anvil',
    chain: anvil,
    account: SENDER,
    pollingInterval: 5,
    transport: http(ledger.url, { timeout: 60_000 }),
  })
    .extend(publicActions)
    .extend(walletActions)
  let now = options.nowSeconds

  /** Its own loop: viem waits for the next block, and here none comes before the next action. */
  async function mined(hash: Hex) {
    for (;;) {
      const receipt = await client.getTransactionReceipt({ hash }).catch((error: unknown) => {
        if (error instanceof TransactionReceiptNotFoundError) return undefined
        throw error
      })
      if (receipt?.status === 'reverted') throw new Error('A transaction failed: too little gas?')
      if (receipt) return receipt
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  async function deploy(bytecode: Hex, abi: Abi = [], args: unknown[] = []): Promise<Hex> {
    const { contractAddress } = await mined(await client.deployContract({ abi, bytecode, args }))
    if (!contractAddress) throw new Error('A contract was not created.')
    return contractAddress
  }

  const verifier = await deploy(p256Sha256VerifierBytecode)
  const registryArgs = [verifier, zeroAddress, '0x00000000000000000000000000000000000000aa']
  const registry = await deploy(machineRegistryBytecode, machineRegistryAbi, registryArgs)
  const rights = await deploy(usageRightsBytecode, usageRightsAbi, [registry])
  const euro = await deploy(testEuroBytecode, testEuroAbi)
  const { abi: castAbi, bytecode } = compileCast()
  const cast = await deploy(bytecode, castAbi, [BigInt(options.people)])
  const people: Hex[] = []
  for (let index = 0; index < options.people; index += 1) {
    const args = [BigInt(index)]
    people.push(
      (await client.readContract({
        address: cast,
        abi: castAbi,
        functionName: 'people',
        args,
      })) as Hex,
    )
  }

  async function play(calls: readonly { who: number; to: Hex; data: Hex }[]): Promise<string[]> {
    await client.setNextBlockTimestamp({ timestamp: BigInt(now) })
    const data = encodeFunctionData({
      abi: castAbi,
      functionName: 'play',
      args: [
        calls.map(({ who }) => BigInt(who)),
        calls.map(({ to }) => to),
        calls.map(({ data }) => data),
      ],
    })
    // One question instead of five: anvil knows the account's key, nonce and fees.
    const sent = { from: SENDER.address, to: cast, gas: toHex(GAS), data }
    const hash = await client.request({ method: 'eth_sendTransaction', params: [sent] } as never)
    const { logs } = await mined(hash)
    const [event] = parseEventLogs({ abi: castAbi, logs, eventName: 'Verdicts' }) as unknown as {
      args: { verdicts: Hex }
    }[]
    if (!event) throw new Error('No verdicts.')
    return calls.map((_, index) => verdictOf(slice(event.args.verdicts, 4 * index, 4 * index + 4)))
  }

  async function must(
    who: number,
    to: Hex,
    abi: Abi,
    functionName: string,
    args: readonly unknown[],
  ) {
    now += 1
    const [verdict] = await play([
      { who, to, data: encodeFunctionData({ abi, functionName, args }) },
    ])
    if (verdict !== 'OK') throw new Error(`${functionName}: ${verdict}`)
  }

  const [owner] = people
  if (!owner) throw new Error('Somebody must have the machine.')
  const key = privateKeyFromBytes('P-256', new Uint8Array(32).fill(5))
  const deadline = 2n ** 40n
  const chainId = anvil.id
  const proof = signTypedDigest(
    key,
    registerDigest({ chainId, registry, owner, keyId: keyId(key.publicKey), verifier, deadline }),
  )
  const { x, y } = key.publicKey
  const machineKey = { curve: CURVE_NUMBER['P-256'], verifier, x, y }
  await must(0, registry, machineRegistryAbi, 'register', [owner, machineKey, deadline, proof])
  await must(0, rights, usageRightsAbi, 'setZone', [1n, options.zone])
  const { openBits, untilWeek } = options
  await must(0, rights, usageRightsAbi, 'offer', [1n, euro, PRICE_PER_HOUR, openBits, untilWeek])
  for (const [index, person] of people.entries()) {
    await must(index, euro, testEuroAbi, 'mint', [person, 2n ** 90n])
    await must(index, euro, testEuroAbi, 'approve', [rights, 2n ** 255n])
  }
  const contract = { address: rights, abi: usageRightsAbi } as const

  return {
    pricePerHour: PRICE_PER_HOUR,
    people,
    /** Tries actions in order in one block at a time in seconds: of each the name of the error, or `OK`. */
    apply(actions: readonly Action[], atSeconds: number): Promise<string[]> {
      now = atSeconds
      return play(
        actions.map((action) => ({
          who: people.indexOf(action.by as Hex),
          to: rights,
          data: encodeFunctionData({
            abi: usageRightsAbi as Abi,
            functionName: action.kind,
            args: argsOf(action, euro),
          }),
        })),
      )
    },
    /** What the contract says of `count` weeks, at most 53. */
    weeks: (first: number, count: number) =>
      client.readContract({
        ...contract,
        functionName: 'weeksOf',
        args: [1n, BigInt(first), BigInt(count)],
      }),
    held: (rightId: bigint, week: number) =>
      client.readContract({ ...contract, functionName: 'hoursOf', args: [rightId, BigInt(week)] }),
    ownerOf: (rightId: bigint) =>
      client.readContract({ ...contract, functionName: 'ownerOf', args: [rightId] }),
    stop: () => ledger.stop(),
  }
}

function verdictOf(selector: Hex): string {
  return selector === '0x00000000' ? 'OK' : (ERRORS.get(selector) ?? selector)
}

function argsOf(action: Action, asset: Hex): readonly unknown[] {
  switch (action.kind) {
    case 'issue':
      return [1n, action.firstWeek, action.weeksCount, action.bits, action.hoursPerWeek, action.to]
    case 'buy':
      return [
        1n,
        action.firstWeek,
        action.weeksCount,
        action.bits,
        asset,
        action.maxTotal,
        action.to,
      ]
    case 'buyHours':
      return [
        1n,
        action.firstWeek,
        action.weeksCount,
        action.hoursPerWeek,
        asset,
        action.maxTotal,
        action.to,
      ]
    case 'book':
    case 'cancel':
      return [BigInt(action.rightId), action.week, action.bits]
    case 'setUser':
      return [BigInt(action.rightId), action.user, BigInt(action.expires)]
    case 'transferFrom':
      return [action.by, action.to, BigInt(action.rightId)]
  }
}

function compileCast(): { abi: Abi; bytecode: Hex } {
  const source = readFileSync(join(import.meta.dirname, 'Cast.sol'), 'utf8')
  const input = {
    language: 'Solidity',
    sources: { 'Cast.sol': { content: source } },
    settings: { outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
  }
  const { contracts } = JSON.parse(solc.compile(JSON.stringify(input)))
  const { abi, evm } = contracts['Cast.sol'].Cast
  return { abi, bytecode: `0x${evm.bytecode.object}` }
}
